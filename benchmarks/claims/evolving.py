"""Claims about genetic algorithms, from ten bits to fooling images."""

from __future__ import annotations

from benchmarks.claims.claim import (
    CIS680,
    LITERATURE,
    SEEDS,
    Outcome,
    above,
    below,
    claim,
    mean,
    middle,
    rate,
)
from benchmarks.claims.running import Runner

MANY, SOME = tuple(range(40)), tuple(range(20))
CLASSES = (
    "target='[king penguin, bison, ladybug, barn, hourglass, sandal, teapot, umbrella, mushroom, "
    "lemon]'"
)
GENETIC = f"synth recipe=fooling_genetic {CLASSES} until=0.997"
PARTS = tuple(f"synth recipe=cppn_parts target={name}" for name in ("lemon", "monarch"))


@claim(
    "OneMax evolves to all ones",
    "Keep iterating until individuals evolve to satisfy the fitness function",
    CIS680,
    "synth recipe=onemax",
    "more than half of the seeds reach a string of ten ones in 200 generations",
    MANY,
)
def onemax(run: Runner) -> Outcome:
    results = run.each()
    solved = rate("solved", [bool(each.findings["solved"]) for each in results])
    generations = [each.findings["generations"] for each in results if each.findings["solved"]]
    return Outcome(above(solved, 0.5), [solved, middle("generations it took", generations)])


@claim(
    "A genetic algorithm has no guarantee",
    "No convergence rules or any guarantees!",
    CIS680,
    "synth recipe=onemax generations=60",
    "with 60 generations, ten times the number of strings of the slide, some seeds end without a "
    "string of ones",
    SOME,
)
def no_guarantee(run: Runner) -> Outcome:
    failed = rate("not solved", [not each.findings["solved"] for each in run.each()])
    return Outcome(failed.value > 0, [failed])


@claim(
    "Selection and crossover raise the fitness of the population",
    "Individuals with high fitness function are likely to be selected multiple times",
    CIS680,
    "synth recipe=onemax mutate.rate=0",
    "without mutation, the total fitness of the last generation is above that of the first",
    SOME,
)
def selection_raises(run: Runner) -> Outcome:
    gains = [
        each.findings["total_at_last"] / each.findings["total_at_first"] - 1 for each in run.each()
    ]
    gain = mean("gain of the total fitness", gains, "%")
    return Outcome(above(gain, 0.0), [gain])


@claim(
    "Mutations keep the diversity that the search needs",
    "Mutations help to increase the diversity among the samples",
    CIS680,
    ("synth recipe=onemax", "synth recipe=onemax mutate.rate=0"),
    "more seeds are solved with mutation than without, and the intervals are apart",
    SOME,
)
def mutation_helps(run: Runner) -> Outcome:
    shares = [
        rate(label, [bool(each.findings["solved"]) for each in run.each(place)])
        for place, label in enumerate(("solved with mutation", "without"))
    ]
    return Outcome(above(shares[0], float(shares[1].high or 0)), shares)


@claim(
    "Evolution makes fooling images as gradients do",
    "We can generate such fooling images via gradient descent or evolutionary algorithms",
    CIS680,
    GENETIC,
    "for at least 90 % the class is predicted for the saved file with 0.99 or more",
    SEEDS,
)
def evolved_fooling(run: Runner) -> Outcome:
    items = [item for result in run.each() for item in result.items]
    hits = rate("0.99 or more", [(item.confidence or 0) >= 0.99 for item in items])
    passes = middle("network passes an image", [item.passes for item in items])
    return Outcome(hits.value >= 0.9, [hits, passes])


@claim(
    "Evolved images reach 99.12 % on average",
    "Average CNN prediction probability is 99.12% across these images",
    CIS680,
    GENETIC,
    "the mean probability on the saved files is at least 0.9912",
    SEEDS,
)
def average_probability(run: Runner) -> Outcome:
    values = [item.confidence or 0.0 for result in run.each() for item in result.items]
    sure = mean("probability of the class", values, "%")
    return Outcome(sure.value >= 0.9912, [sure])


@claim(
    "A gradient needs far fewer passes than evolution",
    "We can generate such fooling images via gradient descent or evolutionary algorithms",
    CIS680,
    (GENETIC, f"synth recipe=fooling_gradient {CLASSES} until=0.997"),
    "evolution costs at least ten times as many network passes, in the median over classes",
    SEEDS,
)
def gradient_is_cheaper(run: Runner) -> Outcome:
    evolved, ascended = (
        [item.passes for result in run.each(place) for item in result.items] for place in (0, 1)
    )
    ratio = middle("ratio", [a / b for a, b in zip(evolved, ascended, strict=True)])
    figures = [middle("evolution", evolved), middle("gradient", ascended), ratio]
    return Outcome(ratio.value >= 10, figures)


@claim(
    "An evolved CPPN comes apart into parts, a trained one does not",
    "One weight of an evolved network changes one part of the picture; of a trained one, "
    "everything (Kumar, Clune, Lehman & Stanley 2025)",
    LITERATURE,
    PARTS,
    "the share of the picture that a weight changes is smaller in the evolved network than in the "
    "trained one of the same class and seed",
    SEEDS,
    note="said of networks that people had evolved by selecting pictures; here the aim is a class",
)
def evolved_parts(run: Runner) -> Outcome:
    evolved, trained = _parts(run, "changed_share")
    less = mean("difference", [a - b for a, b in zip(evolved, trained, strict=True)], "%")
    figures = [mean("share changed, evolved", evolved, "%"), mean("trained", trained, "%"), less]
    return Outcome(below(less, 0.0), figures)


@claim(
    "An evolved CPPN keeps its symmetry when a weight changes",
    "Evolved networks hold a regularity in one place: sweeping a weight keeps it (Kumar, Clune, "
    "Lehman & Stanley 2025)",
    LITERATURE,
    PARTS,
    "more of the symmetry of the picture stays, in the median over weights, than in the trained "
    "one",
    SEEDS,
)
def evolved_symmetry(run: Runner) -> Outcome:
    evolved, trained = _parts(run, "symmetry_kept")
    more = mean("difference", [a - b for a, b in zip(evolved, trained, strict=True)])
    figures = [mean("symmetry kept, evolved", evolved), mean("trained", trained), more]
    return Outcome(above(more, 0.0), figures)


def _parts(run: Runner, key: str) -> list[list[float]]:
    """A number of the evolved and of the trained networks, in pairs."""
    pairs = []
    for place in range(len(PARTS)):
        for result in run.each(place):
            rows = result.findings["cppn_parts"]
            values = [row[key] for row in rows[:2]]
            if None not in values:
                pairs.append(values)
    return [list(values) for values in zip(*pairs, strict=True)]
