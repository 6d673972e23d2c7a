"""Survivor selection against Python lists; islands, strengths, champion and births in searches."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_worlds import Analytic, evolved, one_max, rows_of
from torch import Tensor

from synth.core import Mutation, Rows, Survival
from synth.core.lineage import joined, line_of
from synth.errors import InputError
from synth.searches.genetic import Genetic
from synth.searches.operators.combined_mutation import SelfAdaptive
from synth.searches.operators.crossover import NoCrossover, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.operators.survival import (
    Generational,
    MuCommaLambda,
    MuPlusLambda,
    SteadyState,
)

SCHEMES: dict[str, Survival] = {
    "plus": MuPlusLambda(),
    "plus 3": MuPlusLambda(3),
    "comma": MuCommaLambda(),
    "comma 9": MuCommaLambda(9),
    "generational": Generational(),
    "generational 0": Generational(0),
    "generational 4": Generational(4),
    "steady": SteadyState(),
    "steady 5": SteadyState(5),
}


def evolution(population: int = 8, generations: int = 12, **options) -> Genetic:
    parts = {
        "select": Tournament(2),
        "mate": UniformCrossover(),
        "mutate": GaussianMutation(0.4, 0.3),
    }
    return Genetic(**{**parts, **options}, generations=generations, population=population)


def sphere(length: int = 5, **options) -> Analytic:
    return Analytic(
        lambda g, rows: -(g**2).sum(1),
        lambda rows: rows.normal(length),
        differentiable=False,
        **options,
    )


# -- schemes


def plain(
    scheme: Survival, parents: list[tuple[float, str]], children: list[tuple[float, str]]
) -> list[str]:
    """Survivors by the textbook: pairs of fitness and name, both populations ranked."""
    size = len(parents)

    def best(crowd: list[tuple[float, str]], most: int) -> list[tuple[float, str]]:
        return sorted(crowd, key=lambda entry: -entry[0])[
            :most
        ]  # stable: the earlier of equals stays in front

    if isinstance(scheme, MuPlusLambda):
        return [name for _, name in best(parents + children, size)]
    if isinstance(scheme, MuCommaLambda):
        return [name for _, name in best(children, size)]
    saved = scheme.elites if isinstance(scheme, Generational) else size - scheme.offspring
    return [name for _, name in best(best(parents, saved) + children, size)]


fitnesses = st.sampled_from([-math.inf, -2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])


@given(st.data(), st.sampled_from(sorted(SCHEMES)), st.integers(6, 8))
def test_survivors_are_those_of_plain_lists(data: st.DataObject, name: str, size: int) -> None:
    scheme, items = SCHEMES[name], 2
    count = scheme.offspring_count(size)
    crowds = []
    for number, letter in ((size, "p"), (count, "c")):
        values = [
            data.draw(st.lists(fitnesses, min_size=number, max_size=number)) for _ in range(items)
        ]
        if letter == "p":
            values = [sorted(entry, reverse=True) for entry in values]  # parents come ranked
        crowds.append(values)
    parents, children = (
        {
            "fitness": torch.tensor(values),
            "id": torch.arange(len(values[0])).expand(items, -1) + first,
        }
        for values, first in zip(crowds, (0, 100), strict=True)
    )
    following = scheme(parents, children, rows_of(items))
    assert following["fitness"].shape == (items, size)
    for item in range(items):
        expected = plain(
            scheme,
            [(value, str(place)) for place, value in enumerate(crowds[0][item])],
            [(value, str(place + 100)) for place, value in enumerate(crowds[1][item])],
        )
        assert [str(entry) for entry in following["id"][item].tolist()] == expected
        values = following["fitness"][item].tolist()
        assert values == sorted(values, reverse=True)
        if scheme.elitist:
            assert values[0] >= max(crowds[0][item])


@pytest.mark.parametrize(
    ("scheme", "children"),
    [
        ("plus", 8),
        ("plus 3", 3),
        ("comma", 16),
        ("comma 9", 9),
        ("generational", 7),
        ("generational 4", 4),
        ("steady", 2),
    ],
)
def test_broods_and_passes(scheme: str, children: int) -> None:
    search, problem, rows = evolution(8, 3, survive=SCHEMES[scheme]), sphere(), rows_of(2)
    reports, _ = evolved(search, problem, rows)
    assert problem.calls == [(16, False)] + [(2 * children, False)] * 3
    assert [entry.forwards.tolist() for entry in reports] == [[8, 8]] + [[children] * 2] * 3
    assert search.passes(False) == max(8, children)
    assert search.passes(True) == max(8, 8 + children)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_climbs_and_never_tells_a_worse_best(scheme: str) -> None:
    problem, rows = sphere(), rows_of(3)
    reports, states = evolved(evolution(8, 40, survive=SCHEMES[scheme]), problem, rows)
    scores = torch.stack([entry.score for entry in reports])
    assert bool((scores.diff(dim=0) >= 0).all())
    assert bool((scores[-1] > scores[0]).all())
    for entry in reports:
        torch.testing.assert_close(entry.score, problem.score(entry.genome, rows))
        assert torch.equal(entry.monitor, entry.score)
    assert states[-1]["fitness"].shape == (3, 8)


def test_the_champion_outlives_a_comma_generation_that_is_worse() -> None:
    """Steps so wide that offspring are always worse: the population falls, the report does not."""
    problem, rows = sphere(), rows_of(2)
    search = evolution(6, 5, survive=MuCommaLambda(), mutate=GaussianMutation(100.0, 1.0))
    reports, states = evolved(search, problem, rows)
    first = states[0]["fitness"].amax(1)
    assert bool((states[-1]["fitness"].amax(1) < first - 10).all())
    for entry in reports:
        assert torch.equal(entry.score, first)
        assert torch.equal(entry.genome, reports[0].genome)


def test_the_champion_of_a_noisy_problem_is_not_kept() -> None:
    noisy = Analytic(
        lambda g, rows: -(g**2).sum(1) + 3 * rows.normal(1)[:, 0],
        lambda rows: rows.normal(4),
        stochastic=True,
        differentiable=False,
    )
    reports, _ = evolved(evolution(6, 30, survive=MuCommaLambda()), noisy, rows_of(4))
    assert bool((torch.stack([entry.score for entry in reports]).diff(dim=0) < 0).any())


def test_a_steady_state_keeps_all_but_its_worst() -> None:
    problem, rows = sphere(), rows_of(2)
    _, states = evolved(evolution(8, 15, survive=SteadyState(3)), problem, rows)
    for before, after in pairwise(states):
        for item in range(2):
            ids = before["id"][item][
                before["fitness"][item].argsort(descending=True, stable=True)
            ].tolist()
            current = set(after["id"][item].tolist())
            assert set(ids[:5]) <= current
            assert not set(ids[5:]) & current  # the worst go, though the children be worse
            assert len(current) == 8


def test_items_are_as_alone_under_every_scheme() -> None:
    problem, rows, part = sphere(), rows_of(3), torch.tensor([1])
    for scheme in SCHEMES.values():
        for islands in (1, 2):
            if not _fits(scheme, 12 // islands):
                continue
            search = evolution(12, 7, survive=scheme, islands=islands, migrate=2)
            whole, _ = evolved(search, problem, rows)
            alone, _ = evolved(search, problem, rows.select(part))
            for together, single in zip(whole, alone, strict=True):
                assert torch.equal(together.genome[part], single.genome)
                assert torch.equal(together.score[part], single.score)


def _fits(scheme: Survival, population: int) -> bool:
    try:
        return scheme.offspring_count(population) > 0
    except InputError:
        return False


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: MuPlusLambda(0), "offspring=0"),
        (lambda: MuCommaLambda(-1), "offspring=-1"),
        (lambda: SteadyState(0), "offspring=0"),
        (lambda: Generational(-1), "elites=-1"),
        (lambda: evolution(8, survive=MuCommaLambda(7)), "offspring=7: below the population of 8"),
        (
            lambda: evolution(8, survive=Generational(8)),
            "elites=8: write fewer than the population of 8",
        ),
        (
            lambda: evolution(8, survive=SteadyState(8)),
            "offspring=8: write fewer than the population of 8",
        ),
        (lambda: evolution(8, islands=3), "islands=3"),
        (lambda: evolution(8, islands=0), "islands=0"),
        (lambda: evolution(8, islands=16), "islands=16"),
        (lambda: evolution(8, migrate=0), "migrate=0"),
        (lambda: evolution(8, islands=4, survive=SteadyState(2)), "offspring=2"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message: str) -> None:
    with pytest.raises(InputError, match=rf"search\..*{message}"):
        wrong()


# -- islands


def marked(islands: int, population: int, length: int = 6) -> Analytic:
    """All genes are the number of the individual's island; fitness is random."""
    size = population // islands

    def begin(rows: Rows) -> Tensor:
        place = torch.arange(len(rows)) % population // size
        return place[:, None].float().repeat(1, length)

    return Analytic(lambda g, rows: rows.uniform(1)[:, 0], begin, differentiable=False)


@pytest.mark.parametrize("mate", [NoCrossover(), UniformCrossover()])
def test_no_gene_crosses_before_the_migration_and_then_only_to_the_next(mate) -> None:
    islands, population, migrate = 4, 12, 5
    search = evolution(
        population,
        11,
        mate=mate,
        mutate=GaussianMutation(0.0, 0.0),
        islands=islands,
        migrate=migrate,
    )
    _, states = evolved(search, marked(islands, population), rows_of(3))
    reach = [{island} for island in range(islands)]  # whose genes an island can have
    for step, state in enumerate(states):
        if step and step % migrate == 0:
            reach = [reach[island] | reach[island - 1] for island in range(islands)]
        crowd = state["population"].view(3, islands, population // islands, -1)
        for island in range(islands):
            genes = set(crowd[:, island].flatten().int().tolist())
            assert genes <= reach[island], (step, island)
    assert len(genes) > 1


class Worsening(Mutation):
    """Lowers every gene by 100, so that no offspring survives."""

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        return genomes - 100.0


def test_the_best_of_each_island_takes_the_place_of_the_next_ones_worst() -> None:
    """A generation whose children all lose, so that the migration alone changes anything."""
    scores = torch.tensor([[5.0, 1.0, 3.0], [2.0, 8.0, 7.0], [0.0, 4.0, 6.0]])
    born = scores.flatten()

    def score(genome: Tensor, rows: Rows) -> Tensor:
        return genome[:, 0]

    problem = Analytic(
        score, lambda rows: born[torch.arange(len(rows)) % 9][:, None], differentiable=False
    )
    search = evolution(9, 4, mate=NoCrossover(), mutate=Worsening(), islands=3, migrate=2)
    _, states = evolved(search, problem, rows_of(2), 5)
    crowds = [sorted(entry, reverse=True) for entry in scores.tolist()]
    for step, state in enumerate(states):
        if step and step % 2 == 0:
            best = [crowd[0] for crowd in crowds]
            crowds = [
                sorted([*crowd[:-1], best[island - 1]], reverse=True)
                for island, crowd in enumerate(crowds)
            ]
        for item in range(2):
            assert state["fitness"][item].view(3, 3).tolist() == crowds
            assert torch.equal(state["population"][item, :, 0], state["fitness"][item])


def test_islands_of_one() -> None:
    reports, _ = evolved(evolution(4, 6, islands=4, migrate=2), sphere(), rows_of(2))
    assert bool(torch.stack([entry.score for entry in reports]).isfinite().all())


def test_the_best_of_all_islands_is_told() -> None:
    problem, rows = sphere(), rows_of(3)
    reports, states = evolved(evolution(12, 8, islands=3, migrate=100), problem, rows)
    for entry, state in zip(reports, states, strict=True):
        assert torch.equal(entry.score, state["fitness"].amax(1))
        torch.testing.assert_close(problem.score(entry.genome, rows), entry.score)


# -- strengths that adapt


def adaptive(learning: float = 0.3, **options) -> Genetic:
    mutate = SelfAdaptive(GaussianMutation(0.3, 1.0), learning, 0.001, 20.0)
    return evolution(20, 60, mate=NoCrossover(), mutate=mutate, **options)


def test_strengths_are_inherited_and_the_fitting_ones_selected() -> None:
    """Near the optimum of a sphere small steps win; on a slope without end wide ones do."""
    slope = Analytic(lambda g, rows: g.sum(1), lambda rows: rows.normal(5), differentiable=False)
    rows = rows_of(6)
    (_, near), (_, far) = evolved(adaptive(), sphere(), rows), evolved(adaptive(), slope, rows)
    assert float(near[-1]["strength"].mean()) < 0.3
    assert float(far[-1]["strength"].mean()) > 3.0
    assert torch.equal(near[0]["strength"], torch.ones(6, 20))


def test_strengths_go_with_their_individuals() -> None:
    _, states = evolved(adaptive(islands=2, migrate=3), sphere(), rows_of(2), 10)
    reference: dict[tuple[int, int], float] = {}
    for state in states:
        for item in range(2):
            for identity, strength in zip(
                state["id"][item].tolist(), state["strength"][item].tolist(), strict=True
            ):
                assert reference.setdefault((item, identity), strength) == strength


def test_without_learning_the_strength_stays_and_nothing_changes() -> None:
    rows = rows_of(2)
    plain_, _ = evolved(evolution(8, 6, mutate=GaussianMutation(0.3, 0.5)), sphere(), rows)
    still = SelfAdaptive(GaussianMutation(0.3, 0.5), 0.0)
    same, states = evolved(evolution(8, 6, mutate=still), sphere(), rows)
    assert [entry.score.tolist() for entry in same] == [entry.score.tolist() for entry in plain_]
    assert torch.equal(states[-1]["strength"], torch.ones(2, 8))


@pytest.mark.parametrize(
    "options", [{}, {"islands": 4, "migrate": 2}, {"survive": MuCommaLambda()}]
)
def test_a_state_written_down_goes_on_as_if_nothing_had_been(options: dict) -> None:
    search, problem, rows = adaptive(**options), sphere(), rows_of(3)
    state = search.init(problem, rows)
    for step in range(4):
        state, _ = search.step(problem, rows, state, step)
    saved = {name: value.clone().contiguous() for name, value in state.items()}
    again = adaptive(**options)
    for step in range(4, 9):
        state, report = search.step(problem, rows, state, step)
        saved, same = again.step(problem, rows, saved, step)
        assert torch.equal(report.genome, same.genome)
        assert all(torch.equal(saved[name], value) for name, value in state.items())


# -- births


@pytest.mark.parametrize(
    "options",
    [{}, {"islands": 4, "migrate": 2}, {"survive": MuCommaLambda()}, {"mate": NoCrossover()}],
)
def test_births_tell_whose_genes_everyone_has(options: dict) -> None:
    """Genes mark the individual of the first generation that they come from; mutation is off."""
    population, items = 8, 2
    problem = Analytic(
        lambda g, rows: rows.uniform(1)[:, 0],
        lambda rows: (torch.arange(len(rows)) % population)[:, None].float().repeat(1, 30),
        differentiable=False,
    )
    search = evolution(population, 7, mutate=GaussianMutation(0.0, 0.0), **options)
    reports, states = evolved(search, problem, rows_of(items))
    births = joined(entry.births for entry in reports)
    born = {(item, child): (parent, mate) for item, child, parent, mate in births.tolist()}
    assert len(born) == len(births)  # nobody is born twice
    crossed = not isinstance(options.get("mate"), NoCrossover)
    genes: dict[tuple[int, int], set[int]] = {}
    for key in sorted(born, key=lambda entry: entry[1]):
        parent, mate = born[key]
        if key[1] < population:
            assert (parent, mate) == (-1, -1)
            genes[key] = {key[1]}
        else:
            assert 0 <= parent < key[1]
            assert (mate >= 0) == crossed
            genes[key] = genes[key[0], parent] | (genes[key[0], mate] if mate >= 0 else set())
    for state in states:
        for item in range(items):
            for identity, genome in zip(
                state["id"][item].tolist(), state["population"][item], strict=True
            ):
                assert set(genome.int().tolist()) <= genes[item, identity]
                line = line_of(births, item, identity)
                assert line[0] < population
                assert line[-1] == identity
                assert all(born[item, child][0] == parent for parent, child in pairwise(line))


def test_a_line_of_a_hundred_thousand_generations() -> None:
    count = 100_000
    births = torch.stack(
        [
            torch.zeros(count),
            torch.arange(count),
            torch.arange(count) - 1,
            torch.full((count,), -1),
        ],
        1,
    )
    births = births.long()[torch.randperm(count, generator=torch.Generator().manual_seed(0))]
    assert line_of(births, 0, count - 1) == [*range(count)]


def test_lines_of_items_apart_of_ids_shared_and_of_damage() -> None:
    births = torch.tensor(
        [[0, 0, -1, -1], [1, 0, -1, -1], [0, 5, 0, -1], [1, 5, 3, -1], [1, 3, 0, -1]]
    )
    assert line_of(births, 0, 5) == [0, 5]
    assert line_of(births, 1, 5) == [0, 3, 5]
    assert line_of(births, 2, 3) == [0, 3]  # born in another cell
    with pytest.raises(KeyError, match="7"):
        line_of(births, 0, 7)
    circle = torch.tensor([[0, 1, 2, -1], [0, 2, 1, -1], [0, 4, 4, -1], [0, 9, 77, -1]])
    assert line_of(circle, 0, 2) == [1, 2]
    assert line_of(circle, 0, 4) == [4]
    assert line_of(circle, 0, 9) == [9]  # of one who is older than the record


def test_onemax_is_solved_by_every_scheme() -> None:
    for scheme in filter(lambda entry: _fits(entry, 20), SCHEMES.values()):
        search = evolution(20, 150, survive=scheme, mutate=GaussianMutation(1.0, 0.05))
        state, rows, problem = search.init(one_max(16), rows_of(1)), rows_of(1), one_max(16)
        for step in range(search.steps):
            state, report = search.step(problem, rows, state, step)
            if report.score.tolist() == [16.0]:
                break
        else:
            pytest.fail(f"{scheme} has not solved it")
