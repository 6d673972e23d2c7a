"""Speed and results of evolution: python -m benchmarks.evolution [variation share attack map ...]

Prints one row a figure; speeds are medians over interleaved pairs in one process. Figures are
variation, share, evotorch, pixels, attack, map, memetic. `attack` needs the Tiny ImageNet
validation pictures of the folder that SYNTH_SHARED names (default ../shared), `evotorch` the
package of that name. `map` takes a quarter of an hour, or the minutes that SYNTH_MINUTES names.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from deap import base, tools

from synth import data
from synth.config import process
from synth.core import Cotangents, Evaluation, Genome, Problem, Rows
from synth.core.network import Network
from synth.core.randomness import key_of
from synth.encodings.cppn import Cppn
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.networks.bundled import bundled
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.genetic import Genetic
from synth.searches.operators.crossover import NoCrossover, TwoPoint, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation, Polynomial
from synth.searches.operators.selection import Tournament
from synth.searches.operators.simulated_binary import SimulatedBinary
from synth.searches.operators.topology import TopologyMutation

SYNTH = str(Path(sys.executable).parent / "synth")
SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
POPULATION, GENES = 128, (3, 64, 64)
TARGETS = list(range(0, 100, 5))  # every fifth class, not chosen by hand
ROUNDS = 15
Row = tuple[str, str]

# the same operators on both sides: crossover of every pair, then mutation
OPERATORS: dict[str, tuple[Any, Any]] = {
    "two-point + Gaussian": (TwoPoint(), GaussianMutation(0.1, 0.05)),
    "SBX + polynomial": (
        SimulatedBinary(eta=10.0, low=0.0, high=1.0),
        Polynomial(eta=15.0, rate=0.1),
    ),
}
STOCK: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "two-point + Gaussian": (
        tools.cxTwoPoint,
        lambda individual: tools.mutGaussian(individual, 0.0, 0.1, 0.05),
    ),
    "SBX + polynomial": (
        lambda individual, second: tools.cxSimulatedBinaryBounded(
            individual, second, 10.0, 0.0, 1.0
        ),
        lambda individual: tools.mutPolynomialBounded(individual, 15.0, 0.0, 1.0, 0.1),
    ),
}


def main() -> None:
    """Measures the figures named on the command line, or all."""
    figures = sys.argv[1:] or list(FIGURES)
    unknown = set(figures) - set(FIGURES)
    if unknown:
        sys.exit(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    process.keep_freed()  # as the command line does, for all sides
    logging.getLogger("synth").setLevel(logging.WARNING)
    processor = platform.processor() or platform.machine()
    print(f"{processor}, {os.cpu_count()} cores, torch {torch.__version__}")
    for name in figures:
        for what, value in FIGURES[name]():
            print(f"{what:<86} {value}", flush=True)


# -- speed -----------------------------------------------------------------------------------------


class Free(Problem):
    """A problem whose evaluation costs nothing, so that the search alone is timed."""

    stochastic, differentiable = False, False

    def start(self, rows: Rows) -> Genome:
        return rows.uniform(*GENES)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def baseline(self, rows: Rows) -> Genome | None:
        return None

    def at(self, **parts: Any) -> Problem:
        return self

    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        scores = genome[:, 0, 0, :1].clone()
        return Evaluation(scores, {}, scores[:, 0], None, 1, 0)


class Listed(list):
    """An individual as DEAP's own examples have it."""

    def __init__(self, genes: list[float]) -> None:
        super().__init__(genes)
        self.fitness = Maximised()


class Maximised(base.Fitness):
    """DEAP's fitness of one value, higher better."""

    weights = (1.0,)


def variation() -> list[Row]:
    """One generation of (mu + lambda) without the network: selection to statistics."""
    return [
        (
            f"a generation of {POPULATION} x {int(np.prod(GENES)):,} genes without the network, "
            f"{name}",
            _against(_ours(*OPERATORS[name]), _stock(*STOCK[name])),
        )
        for name in OPERATORS
    ]


def _ours(mate: Any, mutate: Any) -> Callable[[], object]:
    search = Genetic(Tournament(2), mate, mutate, population=POPULATION, generations=10_000)
    problem = Free()
    rows = Rows(torch.zeros(1, dtype=torch.int64), torch.tensor([key_of("benchmark")]))
    state, _ = search.step(problem, rows, search.init(problem, rows), 0)
    state_and_step = [state, 0]

    def generation() -> None:
        state_and_step[1] += 1
        state_and_step[0], report = search.step(problem, rows, state_and_step[0], state_and_step[1])
        search.hall_of_fame(state_and_step[0], 0)
        assert report.genome.shape == (1, *GENES)

    return generation


def _stock(mate: Callable[..., Any], mutate: Callable[..., Any]) -> Callable[[], object]:
    """The same generation by DEAP's own algorithm on its own lists, individual by individual."""
    random.seed(0)
    toolbox = base.Toolbox()
    count = int(np.prod(GENES))
    toolbox.register("mate", mate)
    toolbox.register("mutate", mutate)
    statistics_of_deap = tools.Statistics(lambda individual: individual.fitness.values)
    for name, of in (("max", np.max), ("mean", np.mean), ("min", np.min), ("std", np.std)):
        statistics_of_deap.register(name, of)
    hall = tools.HallOfFame(8)
    population = [Listed([random.random() for _ in range(count)]) for _ in range(POPULATION)]
    for individual in population:
        individual.fitness.values = (individual[0],)
    generations = [population]

    def generation() -> None:
        children = [
            copy.deepcopy(individual)
            for individual in tools.selTournament(generations[0], POPULATION, 2)
        ]
        for first, second in zip(children[::2], children[1::2], strict=True):
            toolbox.mate(first, second)
        for child in children:
            toolbox.mutate(child)
            child[:] = [min(max(gene, 0.0), 1.0) for gene in child]
            child.fitness.values = (child[0],)
        generations[0] = tools.selBest(generations[0] + children, POPULATION)
        hall.update(generations[0])
        statistics_of_deap.compile(generations[0])

    return generation


def _against(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = ROUNDS) -> str:
    """Medians of both and of the ratio, the two called in turn."""
    for call in (ours, theirs, ours):
        call()
    pairs = [(_timed(ours), _timed(theirs)) for _ in range(rounds)]
    own_median, their_median = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(their / own for own, their in pairs)
    return f"{ratio:.1f} times as fast ({own_median * 1e3:.0f} ms, {their_median * 1e3:.0f} ms)"


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def share() -> list[Row]:
    """The share of the network's forward passes in the wall time of a generation."""
    network = bundled("mini_alexnet")
    cases = {f"pixels, {name}": (Pixels(), *parts) for name, parts in OPERATORS.items()}
    cases["CPPN, topology"] = (Cppn(), NoCrossover(), TopologyMutation())
    rows = []
    for name, (encoding, mate, mutate) in cases.items():
        search = Genetic(Tournament(2), mate, mutate, population=POPULATION, generations=10_000)
        experiment = Experiment(network, encoding, ClassScore(7, "log_probability"), search)
        problem = experiment.problem
        items = experiment.rows
        inside = [0.0]
        state, _ = search.step(problem, items, search.init(problem, items), 0)
        shares = []
        with _Forward(network, inside):
            for step in range(1, 41):
                inside[0] = 0.0
                start = time.perf_counter()
                state, _ = search.step(problem, items, state, step)
                shares.append(inside[0] / (time.perf_counter() - start))
        what = f"share of a generation inside the network, population {POPULATION}, {name}"
        rows.append((what, f"{statistics.median(shares[5:]):.2f}"))
    return rows


class _Forward:
    """A context that adds the seconds of a network's forward passes to `inside`."""

    def __init__(self, network: Network, inside: list[float]) -> None:
        self.network = network
        self.inside = inside
        self.read = network.read

    def __enter__(self) -> None:
        object.__setattr__(self.network, "read", self._read)

    def __exit__(self, *_: object) -> None:
        object.__delattr__(self.network, "read")

    def _read(self, *arguments: Any, **keywords: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.read(*arguments, **keywords)
        finally:
            self.inside[0] += time.perf_counter() - start


def evotorch() -> list[Row]:
    """Speed against EvoTorch's GeneticAlgorithm: same operators, network and population."""
    try:
        logging.getLogger("evotorch").setLevel(logging.ERROR)
        from evotorch import Problem as TheirProblem
        from evotorch import algorithms, operators
    except ImportError:
        return [("against EvoTorch", "skipped: no package evotorch")]
    network = bundled("mini_alexnet")
    count = int(np.prod(GENES))

    def fitness(genomes: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            # as small as the engine's chunks, which is faster on a CPU
            parts = genomes.view(-1, *GENES).split(64)
            activations = [
                network.read(part, ("output",))["output"].log_softmax(1)[:, 7] for part in parts
            ]
        return torch.cat(activations).clone()

    rows = []
    for name in OPERATORS:
        problem = TheirProblem(
            "max",
            fitness,
            solution_length=count,
            initial_bounds=(0.0, 1.0),
            bounds=(0.0, 1.0),
            vectorized=True,
            dtype=torch.float32,
            seed=0,
        )
        if name == "two-point + Gaussian":
            theirs = [
                operators.TwoPointCrossOver(problem, tournament_size=2),
                operators.GaussianMutation(problem, stdev=0.1, mutation_probability=0.05),
            ]
        else:
            theirs = [
                operators.SimulatedBinaryCrossOver(problem, tournament_size=2, eta=10.0),
                operators.PolynomialMutation(problem, eta=15.0, mutation_probability=0.1),
            ]
        their = algorithms.GeneticAlgorithm(
            problem, operators=theirs, popsize=POPULATION, re_evaluate=False
        )
        search = Genetic(Tournament(2), *OPERATORS[name], population=POPULATION, generations=10_000)
        experiment = Experiment(network, Pixels(), ClassScore(7, "log_probability"), search)
        text = _against(_stepping(search, experiment), their.step)
        rows.append((f"a generation of {POPULATION}, mini AlexNet, {name}, against EvoTorch", text))
    return rows


def _stepping(search: Genetic, experiment: Experiment) -> Callable[[], object]:
    problem, rows = experiment.problem, experiment.rows
    state, _ = search.step(problem, rows, search.init(problem, rows), 0)
    state_and_step = [state, 0]

    def generation() -> None:
        state_and_step[1] += 1
        state_and_step[0], _ = search.step(problem, rows, state_and_step[0], state_and_step[1])

    return generation


# -- results ---------------------------------------------------------------------------------------


def plain(generations: int = 10_000) -> Genetic:
    """The genetic algorithm that is the reference."""
    return Genetic(
        Tournament(2),
        UniformCrossover(),
        GaussianMutation(0.1, 0.05),
        population=64,
        generations=generations,
    )


def pixels() -> list[Row]:
    """Direct encoding, twenty classes: the reference and `fooling_genetic` at equal budgets."""
    marks = (1000, 2000, 5000, 20_000)
    results = {
        "the plain genetic algorithm": _confidences(
            lambda network: Experiment(
                network,
                Pixels(),
                ClassScore(TARGETS, "log_probability"),
                plain(),
                monitor=ClassScore(TARGETS, "probability"),
                budget=marks[-1],
            ),
            marks,
        ),
        "recipe=fooling_genetic": _recipe("fooling_genetic", marks),
    }
    rows = []
    for name, (final_mean, means_at_marks) in results.items():
        text = ", ".join(
            f"{mean:.3f} at {mark:,}" for mark, mean in zip(marks, means_at_marks, strict=True)
        )
        what = f"mean confidence of {len(TARGETS)} classes after evaluations each, {name}"
        rows.append((what, f"{text}; on the saved file {final_mean:.3f}"))
    return rows


def _confidences(
    build: Callable[[Network], Experiment], marks: tuple[int, ...]
) -> tuple[float, list[float]]:
    """Mean confidence on the saved files at the end, and of the best individuals at the `marks`."""
    with tempfile.TemporaryDirectory() as folder:
        result = build(bundled("mini_alexnet")).run(FolderRecord(Path(folder)))
        lines = [json.loads(line) for line in Path(folder, "steps.jsonl").read_text().splitlines()]
    return result.findings["mean_confidence"], _at(lines, marks)


def _at(lines: list[dict[str, Any]], marks: tuple[int, ...]) -> list[float]:
    return [
        [line["mean"] for line in lines if line["forwards"] <= mark * len(TARGETS)][-1]
        for mark in marks
    ]


def _recipe(name: str, marks: tuple[int, ...], *words: str) -> tuple[float, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        result = _synth(
            folder,
            f"recipe={name}",
            f"target={TARGETS}",
            f"budget={marks[-1]}",
            "until=null",
            *words,
        )
        lines = [
            json.loads(line) for line in Path(folder, "run", "steps.jsonl").read_text().splitlines()
        ]
    return result["findings"]["mean_confidence"], _at(lines, marks)


def _synth(folder: str, *words: str) -> dict[str, Any]:
    """A run as a user types it; its result."""
    command = [SYNTH, f"folder={folder}/run", *words]
    subprocess.run(command, check=True, capture_output=True)
    return dict(json.loads(Path(folder, "run", "result.json").read_text()))


def map_of_classes() -> list[Row]:
    """`recipe=map_elites` over all classes of mini AlexNet, interrupted after some minutes."""
    minutes = float(os.environ.get("SYNTH_MINUTES", "15"))
    with tempfile.TemporaryDirectory() as folder:
        command = [SYNTH, "recipe=map_elites", "search.steps=1000000", f"folder={folder}/run"]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(60 * minutes)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGINT)  # completes the step, saves and measures the images
            run.wait()
        result = json.loads(Path(folder, "run", "result.json").read_text())
    findings = result["findings"]
    text = (
        f"{findings['success']} of {findings['items']} at >= 0.99, "
        f"mean {findings['mean_confidence']:.4f}, {findings['forwards']:,} evaluations"
    )
    what = (
        f"recipe=map_elites, all classes of mini AlexNet, {minutes:g} minutes, on the saved files"
    )
    return [(what, text)]


def memetic() -> list[Row]:
    """`recipe=map_elites_memetic` over all classes of mini AlexNet."""
    with tempfile.TemporaryDirectory() as folder:
        result = _synth(folder, "recipe=map_elites_memetic")
    findings = result["findings"]
    confidences = [item["confidence"] for item in result["items"]]
    passes = findings["forwards"] + 2 * findings["backwards"]
    text = (
        f"{sum(confidence >= 0.99 for confidence in confidences)} of {len(confidences)} at >= 0.99,"
        f" mean {findings['mean_confidence']:.4f}, {passes:,} passes, {result['seconds']:.0f} s"
    )
    return [("recipe=map_elites_memetic, all classes of mini AlexNet, on the saved files", text)]


def attack() -> list[Row]:
    """`recipe=black_box_attack` on validation pictures of correct class, beside random signs."""
    archive = SHARED / "data/tiny_imagenet_100_val.tar"
    if not archive.is_file():
        return [("black-box attack", f"skipped: no {archive}")]
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        return _attacked(Path(folder))


def _attacked(folder: Path) -> list[Row]:
    """The first two correct pictures a class: the recipe, then random signs at equal queries."""
    network, queries, epsilon = bundled("mini_alexnet"), 1000, 8 / 255
    chosen, labels = [], []
    for index, wnid in enumerate(network.classes.synsets):
        pictures = (
            data.picture(str(path)).at(network.size)[None]
            for path in sorted(folder.rglob(f"{wnid}/*.*"))
        )
        right = (image for image in pictures if int(_scores(network, image)[0].argmax()) == index)
        for image in islice(right, 2):
            chosen.append(image)
            labels.append(index)
    folder_of_correct = folder / "known"
    folder_of_correct.mkdir()
    for place, image in enumerate(chosen):
        data.to_image(image[0]).save(folder_of_correct / f"{place:03d}.png")
    result = _synth(
        str(folder), "recipe=black_box_attack", f"images={folder_of_correct}", f"budget={queries}"
    )
    items = result["items"]
    spent = [item["forwards"] for item in items if item["success"]]
    largest = max(item["linf"] for item in items)
    text = (
        f"{len(spent)} of {len(items)}, queries of those: median {statistics.median(spent):.0f}, "
        f"mean {statistics.fmean(spent):.0f}; L-inf at most {largest * 255:.0f}/255"
    )
    what = f"mini AlexNet, L-inf 8/255, untargeted, at most {queries} queries"
    signs = _signs(network, chosen, labels, queries, epsilon)
    return [(f"recipe=black_box_attack, {what}", text), (f"random signs, {what}", signs)]


def _signs(
    network: Network, images: list[torch.Tensor], labels: list[int], queries: int, epsilon: float
) -> str:
    """Independent random signs in the corners of the ball, one a query."""
    draws = torch.Generator().manual_seed(0)
    spent = []
    for image, label in zip(images, labels, strict=True):
        for first in range(0, queries, 100):
            signs = torch.randint(0, 2, (100, *image.shape[1:]), generator=draws) * 2 - 1
            wrong = _scores(network, (image + epsilon * signs).clamp(0, 1)).argmax(1) != label
            if wrong.any():
                spent.append(first + int(wrong.int().argmax()) + 1)
                break
    median = f", queries of those: median {statistics.median(spent):.0f}" if spent else ""
    return f"{len(spent)} of {len(images)}{median}"


def _scores(network: Network, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network.read(images.contiguous(memory_format=torch.channels_last), ("output",))[
            "output"
        ]


FIGURES: dict[str, Callable[[], list[Row]]] = {
    "variation": variation,
    "share": share,
    "evotorch": evotorch,
    "pixels": pixels,
    "attack": attack,
    "map": map_of_classes,
    "memetic": memetic,
}

if __name__ == "__main__":
    main()
