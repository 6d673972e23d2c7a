"""The genetic algorithm, against DEAP's own operators and tools run individual by individual."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from deap import algorithms, base, creator, tools
from scipy import stats
from small_worlds import Analytic, evolved, one_max, rows_of
from torch import Tensor

from synth.core import Crossover, Rows
from synth.errors import InputError
from synth.searches.genetic import Fitness, Genetic, Individual, logbook
from synth.searches.operators.crossover import OnePoint, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.operators.survival import MuCommaLambda


def evolution(
    population: int = 16, generations: int = 30, sigma: float = 0.5, rate: float = 0.1, **options
) -> Genetic:
    parts = {
        "select": Tournament(2),
        "mate": UniformCrossover(),
        "mutate": GaussianMutation(sigma, rate),
    }
    return Genetic(**{**parts, **options}, generations=generations, population=population)


@pytest.fixture
def deaps_chance() -> random.Random:
    """DEAP draws from the global `random`; seeded here, and put back afterwards."""
    before = random.getstate()
    random.seed(7)
    yield random
    random.setstate(before)


class Scored:
    """An individual as DEAP's selection sees one."""

    def __init__(self, place: int, fitness: float) -> None:
        self.place, self.fitness = place, Fitness((fitness,))


# -- operators, in distribution


@pytest.mark.parametrize("size", [1, 2, 5])
def test_tournament_chooses_as_deaps_does(size: int, deaps_chance: random.Random) -> None:
    fitness = [3.0, -1.0, 7.0, 2.5, 0.0, 7.5, -4.0, 1.0]
    count = 20_000
    crowd = [Scored(place, value) for place, value in enumerate(fitness)]
    theirs = np.bincount(
        [entry.place for entry in tools.selTournament(crowd, count, size)], minlength=8
    )
    chosen = Tournament(size)(torch.tensor([fitness] * 4), count // 4, rows_of(4))
    assert chosen.shape == (4, count // 4)
    ours = np.bincount(chosen.flatten(), minlength=8)
    place = np.argsort(
        np.argsort(fitness)
    )  # rank j of p wins with ((j + 1)^size - j^size) / p^size
    law = ((place + 1) ** size - place**size) / 8**size
    assert stats.chisquare(ours, law * count).pvalue > 0.01
    assert stats.chisquare(theirs, law * count).pvalue > 0.01
    each = np.array([np.bincount(row, minlength=8) for row in chosen])
    assert (
        stats.chi2_contingency(each[:, law * count / 4 > 5]).pvalue > 0.01
    )  # no item differs from the others


def test_crossover_exchanges_as_deaps_does(deaps_chance: random.Random) -> None:
    pairs, genes = 2000, 12
    genomes = torch.zeros(1, 2 * pairs, genes)
    genomes[:, 1::2] = 1
    children = UniformCrossover()(genomes, rows_of(1))
    first, second = children[0, 0::2], children[0, 1::2]
    assert torch.equal(
        first + second, torch.ones(pairs, genes)
    )  # genes are exchanged, none made or lost
    theirs = np.array([tools.cxUniform([0] * genes, [1] * genes, 0.5)[0] for _ in range(pairs)])
    ours = first.numpy().astype(int)
    for drawn in (ours, theirs):
        counts = np.bincount(drawn.sum(1), minlength=genes + 1)
        law = stats.binom.pmf(np.arange(genes + 1), genes, 0.5) * pairs
        usual = law > 5
        assert (
            stats.chisquare(
                np.append(counts[usual], counts[~usual].sum()),
                np.append(law[usual], law[~usual].sum()),
            ).pvalue
            > 0.01
        )
    assert np.abs(ours.mean(0) - 0.5).max() < 5 * 0.5 / pairs**0.5
    table = np.corrcoef(ours.T) - np.eye(genes)
    assert np.abs(table).max() < 5 / pairs**0.5


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5])
def test_a_share_of_the_pairs_mates_whichever_gene_one_looks_at(rate: float) -> None:
    """Crossing is independent of the genes' draws: over many items every gene swaps at rate / 2."""
    items, pairs, genes = 800, 4, 130
    genomes = torch.zeros(items, 2 * pairs, genes)
    genomes[:, 1::2] = 1
    swapped = UniformCrossover(rate)(genomes, rows_of(items))[:, 0::2]
    mated = swapped.any(2).float()
    assert np.abs(mated.mean(0).numpy() - rate).max() < 4 * 0.5 / items**0.5
    each = swapped.mean(0)  # [pairs, genes]
    deviation = (rate / 2 * (1 - rate / 2) / items) ** 0.5
    assert (each - rate / 2).abs().max() <= 5 * deviation


def test_crossover_leaves_the_odd_one_out_and_keeps_shapes() -> None:
    for count in (1, 2, 5):
        genomes = torch.rand(3, count, 2, 4, generator=torch.Generator().manual_seed(0))
        children = UniformCrossover()(genomes, rows_of(3))
        assert children.shape == genomes.shape
        if count % 2:
            assert torch.equal(children[:, -1], genomes[:, -1])
        torch.testing.assert_close(children.sum(1), genomes.sum(1))


@pytest.mark.parametrize("rate", [0.05, 0.4, 1.0])
def test_mutation_moves_as_deaps_does(rate: float, deaps_chance: random.Random) -> None:
    individuals, genes, sigma = 400, 50, 0.3
    start = torch.full((2, individuals // 2, genes), 0.25)
    ours = (GaussianMutation(sigma, rate)(start, rows_of(2)) - start).flatten(0, 1).double().numpy()
    theirs = np.array(
        [tools.mutGaussian([0.0] * genes, 0.0, sigma, rate)[0] for _ in range(individuals)]
    )
    for drawn in (ours, theirs):
        moves = drawn[drawn != 0]
        if rate < 1:
            assert stats.binomtest(moves.size, drawn.size, rate).pvalue > 0.005
        assert stats.kstest(moves / sigma, "norm").pvalue > 0.01
    assert stats.ks_2samp(ours[ours != 0], theirs[theirs != 0]).pvalue > 0.01
    each = (ours != 0).sum(0)
    if rate < 1:
        deviation = (each - individuals * rate) / (individuals * rate * (1 - rate)) ** 0.5
        assert np.abs(deviation).max() < 4.5


def test_mutation_at_its_ends() -> None:
    genomes = torch.rand(2, 3, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(GaussianMutation(0.5, 0.0)(genomes, rows_of(2)), genomes)
    assert torch.equal(GaussianMutation(0.0, 0.5)(genomes, rows_of(2)), genomes)
    assert (GaussianMutation(0.5, 1.0)(genomes, rows_of(2)) != genomes).all()


def test_operators_treat_items_alone() -> None:
    rows, part = rows_of(5), torch.tensor([3, 0])
    genomes = torch.rand(5, 6, 2, 3, generator=torch.Generator().manual_seed(0))
    for operator in (UniformCrossover(0.7), GaussianMutation(0.2, 0.3), GaussianMutation(0.2, 1.0)):
        assert torch.equal(
            operator(genomes, rows)[part], operator(genomes[part], rows.select(part))
        )
    fitness = genomes[..., 0, 0]
    assert torch.equal(
        Tournament(3)(fitness, 4, rows)[part], Tournament(3)(fitness[part], 4, rows.select(part))
    )


# -- the loop


def test_onemax_is_solved() -> None:
    reports, _ = evolved(evolution(40, 60, sigma=1.0, rate=0.05), one_max(30), rows_of(3))
    assert reports[-1].score.tolist() == [30.0, 30.0, 30.0]
    assert (reports[0].score < 27).all()


def test_onemax_takes_about_as_long_as_with_deaps_own_loop(deaps_chance: random.Random) -> None:
    """DEAP's eaMuPlusLambda on lists, and ours: the best after ten generations, 20 runs each."""
    length, crowd, generations, runs = 24, 16, 10, 20
    creator.create("OneMaxFitness", base.Fitness, weights=(1.0,))
    creator.create("OneMaxIndividual", list, fitness=creator.OneMaxFitness)
    toolbox = base.Toolbox()
    toolbox.register("evaluate", lambda genes: (float(sum(gene > 0.5 for gene in genes)),))
    toolbox.register("select", tools.selTournament, tournsize=2)

    def ended() -> float:
        population = [
            creator.OneMaxIndividual([float(random.random() < 0.5) for _ in range(length)])
            for _ in range(crowd)
        ]
        for entry in population:
            entry.fitness.values = toolbox.evaluate(entry)
        for _ in range(generations):
            children = [toolbox.clone(entry) for entry in toolbox.select(population, crowd)]
            for entry, other in zip(children[::2], children[1::2], strict=True):
                tools.cxUniform(entry, other, 0.5)
            for entry in children:
                tools.mutGaussian(entry, 0.0, 1.0, 0.05)
                entry[:] = [min(max(gene, 0.0), 1.0) for gene in entry]
                entry.fitness.values = toolbox.evaluate(entry)
            population = tools.selBest(population + children, crowd)
        return population[0].fitness.values[0]

    theirs = [ended() for _ in range(runs)]
    reports, _ = evolved(
        evolution(crowd, generations, sigma=1.0, rate=0.05),
        one_max(length),
        rows_of(runs, "against deap"),
    )
    del creator.OneMaxFitness, creator.OneMaxIndividual
    ours = reports[-1].score.tolist()
    assert stats.ttest_ind(ours, theirs).pvalue > 0.01
    assert np.mean(ours) > 18


def sphere(length: int = 6, **options) -> Analytic:
    return Analytic(
        lambda g, rows: -(g**2).sum(1),
        lambda rows: rows.normal(length),
        differentiable=False,
        **options,
    )


@pytest.mark.parametrize("population", [1, 2, 3, 7])
def test_any_population_never_loses_its_best(population: int) -> None:
    problem = sphere()
    reports, states = evolved(evolution(population, 25), problem, rows_of(3))
    scores = torch.stack([entry.score for entry in reports])
    assert (scores.diff(dim=0) >= 0).all()
    assert (scores[-1] > scores[0]).all()
    for entry, state in zip(reports, states, strict=True):
        assert torch.equal(state["fitness"], state["fitness"].sort(dim=1, descending=True).values)
        assert torch.equal(entry.genome, state["population"][:, 0])
        torch.testing.assert_close(entry.score, problem.score(entry.genome, rows_of(3)))
        assert torch.equal(entry.monitor, entry.score)


def test_survivors_are_the_best_of_parents_and_children() -> None:
    problem, rows = sphere(), rows_of(2)
    search = evolution(5, 10)
    state, _ = search.step(problem, rows, search.init(problem, rows), 0)
    output: list[Tensor] = []
    score = problem.score
    problem.score = lambda genome, rows: output.append(genome.clone()) or score(genome, rows)
    after, _ = search.step(problem, rows, state, 1)
    (children,) = output
    for item in range(2):
        everyone = [*state["population"][item], *children.view(2, 5, -1)[item]]
        crowd = [Individual(genome, float(-(genome**2).sum())) for genome in everyone]
        best = tools.selBest(crowd, 5)
        torch.testing.assert_close(
            after["population"][item], torch.stack([entry.genome for entry in best])
        )


def test_of_equals_the_parents_stay() -> None:
    flat = Analytic(
        lambda g, rows: torch.zeros(len(g)), lambda rows: rows.normal(3), differentiable=False
    )
    _, states = evolved(evolution(6, 3), flat, rows_of(1))
    assert torch.equal(states[-1]["population"], states[0]["population"])


def test_what_is_not_a_number_never_wins_and_is_counted() -> None:
    def score(genome: Tensor, rows: Rows) -> Tensor:
        value = genome[:, 0].clone()
        value[genome[:, 0] > 0] = torch.nan
        value[genome[:, 0] > 1] = torch.inf  # better than anything, were it a fitness
        value[genome[:, 0] < -1] = -torch.inf
        return value

    problem = Analytic(score, lambda rows: 1.5 * rows.normal(2), differentiable=False)
    reports, states = evolved(evolution(20, 15), problem, rows_of(2))
    first = states[0]
    for item in range(2):
        genes = first["population"][item, :, 0]
        bad = int(((genes > 0) | (genes < -1)).sum())
        assert 0 < bad < 20
        assert int(reports[0].statistics["invalid"][item]) == bad
        valid = genes[(genes <= 0) & (genes >= -1)].double().numpy()
        assert float(reports[0].statistics["mean"][item]) == pytest.approx(valid.mean(), rel=1e-4)
        assert float(reports[0].statistics["std"][item]) == pytest.approx(valid.std(), rel=1e-4)
        assert float(reports[0].statistics["max"][item]) == pytest.approx(valid.max())
    for entry in reports:
        assert torch.isfinite(entry.score).all()
        assert ((entry.genome[:, 0] <= 0) & (entry.genome[:, 0] >= -1)).all()
    assert states[-1]["fitness"].isfinite().all()


def test_all_invalid_is_survived() -> None:
    problem = Analytic(
        lambda g, rows: torch.full((len(g),), torch.nan),
        lambda rows: rows.normal(2),
        differentiable=False,
    )
    reports, _ = evolved(evolution(4, 3), problem, rows_of(2))
    assert reports[-1].statistics["invalid"].tolist() == [4, 4]
    assert reports[-1].statistics["mean"].tolist() == [0.0, 0.0]
    assert torch.isfinite(reports[-1].genome).all()


def test_statistics_are_deaps_of_the_population() -> None:
    reports, states = evolved(evolution(9, 3), sphere(), rows_of(1))
    theirs = tools.Statistics(lambda entry: entry.fitness.values[0])
    for name, function in (("max", np.max), ("mean", np.mean), ("min", np.min), ("std", np.std)):
        theirs.register(name, function)
    crowd = [
        Individual(genome, float(value))
        for genome, value in zip(states[-1]["population"][0], states[-1]["fitness"][0], strict=True)
    ]
    for name, value in theirs.compile(crowd).items():
        assert float(reports[-1].statistics[name][0]) == pytest.approx(float(value), rel=1e-4)


def noisy(sd: float) -> Analytic:
    return Analytic(
        lambda g, rows: -(g**2).sum(1) + sd * rows.normal(1)[:, 0],
        lambda rows: rows.normal(4),
        stochastic=True,
        differentiable=False,
    )


def test_survivors_of_a_noisy_problem_are_evaluated_again() -> None:
    steady, shaky, rows = sphere(4), noisy(1.0), rows_of(3)
    reports, _ = evolved(evolution(8, 4), steady, rows)
    assert [entry.forwards.tolist() for entry in reports] == [[8, 8, 8]] * 5
    assert steady.calls == [(24, False)] * 5
    reports, _ = evolved(evolution(8, 4), shaky, rows)
    assert [entry.forwards.tolist() for entry in reports] == [[8, 8, 8]] + [[16, 16, 16]] * 4
    assert shaky.calls == [(24, False)] * 9
    assert all(entry.backwards.tolist() == [0, 0, 0] for entry in reports)


def test_luck_is_not_kept() -> None:
    """Under strong noise, keeping old scores would accumulate lucky draws; new ones hardly do."""
    shaky = noisy(10.0)
    reports, _ = evolved(evolution(8, 60, sigma=0.0), shaky, rows_of(20))
    late = torch.stack([entry.score for entry in reports[-20:]]).mean()
    saved = 10 * stats.norm.ppf(
        1 - 0.5 / (8 * 60)
    )  # what the luckiest of all draws would have claimed
    assert late < 0.7 * saved
    assert (
        torch.stack([entry.score for entry in reports]).diff(dim=0).min() < 0
    )  # it may fall again


def test_children_draw_otherwise_than_their_parents() -> None:
    drawn: list[Tensor] = []
    problem = Analytic(
        lambda g, rows: drawn.append(rows.uniform()) or g[:, 0],
        lambda rows: rows.normal(2),
        stochastic=True,
        differentiable=False,
    )
    evolved(evolution(6, 5), problem, rows_of(3))
    everything = torch.cat(drawn)
    assert len(everything) == 3 * 6 * 11
    assert len(everything.unique()) > 0.99 * len(everything)


def test_items_are_as_alone_and_may_leave() -> None:
    problem, rows, search = sphere(), rows_of(4), evolution(6, 12)
    whole, _ = evolved(search, problem, rows)
    part = torch.tensor([2])
    alone, _ = evolved(search, problem, rows.select(part))
    for together, single in zip(whole, alone, strict=True):
        assert torch.equal(together.genome[part], single.genome)
    state, staying = search.init(problem, rows), torch.arange(4)
    for step in range(12):
        state, reports = search.step(problem, rows.select(staying), state, step)
        assert torch.equal(reports.genome, whole[step].genome[staying])
        if step == 4:
            state, staying = (
                {name: value[torch.tensor([1, 3])] for name, value in state.items()},
                torch.tensor([1, 3]),
            )


def test_a_given_genome_leads_a_crowd_of_its_mutants() -> None:
    problem, rows = sphere(box=(-0.5, 0.5)), rows_of(3)
    initial = torch.full((3, 6), 0.25)
    crowd = evolution(10, sigma=0.1, rate=0.5).init(problem, rows, initial)["population"]
    assert torch.equal(crowd[:, 0], initial)
    moved = (crowd[:, 1:] != 0.25).float().mean()
    assert 0.35 < moved < 0.65
    assert (crowd - 0.25).abs().max() < 0.5
    assert crowd.max() <= 0.5


def test_children_are_projected() -> None:
    _, states = evolved(evolution(8, 6, sigma=5.0, rate=0.5), sphere(box=(-1.0, 1.0)), rows_of(2))
    for state in states[1:]:
        assert state["population"].abs().max() <= 2.7  # of the first crowd, which was drawn wider
    assert (states[-1]["population"].abs() <= 1).float().mean() > 0.9


def test_the_hall_of_fame_is_deaps() -> None:
    search = evolution(12, 6)
    _, states = evolved(search, sphere(), rows_of(2))
    for item in range(2):
        state = states[-1]
        theirs = tools.HallOfFame(
            5, similar=lambda entry, other: torch.equal(entry.genome, other.genome)
        )
        theirs.update(
            [
                Individual(g, float(f))
                for g, f in zip(state["population"][item], state["fitness"][item], strict=True)
            ]
        )
        ours = search.hall_of_fame(state, item, 5)
        assert [entry.fitness.values for entry in ours] == [
            entry.fitness.values for entry in theirs
        ][: len(ours)]
        assert all(
            torch.equal(entry.genome, other.genome)
            for entry, other in zip(ours, theirs, strict=False)
        )
    twins = {"population": torch.zeros(1, 4, 2), "fitness": torch.zeros(1, 4)}
    assert len(search.hall_of_fame(twins, 0)) == 1


def test_the_logbook_is_built_from_records() -> None:
    records = [
        {
            "step": step,
            "forwards": 8 * (step + 1),
            "statistics": {"max": float(step), "mean": 0.5 * step},
            "best": 0,
        }
        for step in range(4)
    ]
    book = logbook(records)
    assert isinstance(book, tools.Logbook)
    assert book.select("gen", "nevals") == ([0, 1, 2, 3], [8, 8, 8, 8])
    assert book.select("max", "mean") == ([0.0, 1.0, 2.0, 3.0], [0.0, 0.5, 1.0, 1.5])
    assert "nevals" in str(book)


def test_the_toolbox_is_deaps_and_takes_other_operators() -> None:
    search = evolution()
    assert isinstance(search.toolbox, base.Toolbox)
    search.toolbox.register("mutate", lambda genomes, rows: genomes + 1.0)
    state = search.init(sphere(), rows_of(1), torch.zeros(1, 6))
    assert torch.equal(state["population"][0, 1:], torch.ones(15, 6))
    assert callable(algorithms.eaSimple)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: evolution(generations=0),
        lambda: evolution(population=0),
        lambda: Tournament(0),
        lambda: UniformCrossover(1.5),
        lambda: GaussianMutation(0.1, -0.1),
        lambda: GaussianMutation(-0.1, 0.5),
    ],
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(InputError, match="search"):
        wrong()


@pytest.mark.parametrize("crossover", [UniformCrossover(rate=0.5), OnePoint(rate=0.5)])
def test_an_offspring_of_a_pair_that_is_spared_has_no_mate(crossover: Crossover) -> None:
    search = Genetic(
        Tournament(), crossover, GaussianMutation(0.0), 1, 60, survive=MuCommaLambda(60)
    )
    problem = Analytic(lambda genome, rows: -genome.square().sum(1), lambda rows: rows.normal(9))
    rows = rows_of(2)
    reports, states = evolved(search, problem, rows)
    before = states[0]["population"]
    ids = states[0]["id"]
    mates = 0
    for item, child, parent, mate in reports[1].births.tolist():
        place = states[1]["id"][item].tolist().index(child)
        genes = states[1]["population"][item, place]
        own = before[item, ids[item].tolist().index(parent)]
        mates += mate >= 0
        if mate < 0:
            assert torch.equal(genes, own)
    assert 0.2 < mates / len(reports[1].births) < 0.8
