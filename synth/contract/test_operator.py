"""What every evolutionary operator owes: shapes, reproducible draws, items apart, a run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from synth.config.building import build
from synth.contract.cases import for_each
from synth.contract.parts import composed, overrides_of
from synth.contract.worlds import Analytic, one_max, rows_of
from synth.core import Crossover, Mutation, Selection, Survival
from synth.errors import InputError
from synth.searches.genetic import Genetic

KINDS = {"select": Selection, "mate": Crossover, "mutate": Mutation, "survive": Survival}
SHAPES = [(1,), (10,), (4, 6), (3, 5, 4), (2, 3, 4, 4)]
VARIATIONS = ("search/mate", "search/mutate")
OPERATORS = ("search/select", *VARIATIONS, "search/survive")


def search_with(kind: str, name: str, *overrides: str) -> Genetic:
    words = [
        "search=genetic",
        f"search/{kind}={name}",
        "search.population=6",
        "search.generations=3",
        *overrides_of(f"search/{kind}", name),
    ]
    return build(composed(*words, *overrides)["search"], [])


def operator_of(search: Genetic, kind: str) -> Selection | Crossover | Mutation | Survival:
    """The operator of that kind in a genetic search."""
    return search.survive if kind == "survive" else getattr(search.toolbox, kind).func


def genomes_of(shape: tuple[int, ...], individuals: int = 5) -> Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.rand(3, individuals, *shape, generator=draws).round()


def refuses(mutation: Mutation, genome: Tensor) -> bool:
    """Whether the mutation is for other genomes and says so."""
    try:
        mutation.check(genome)
    except InputError:
        return True
    return False


@for_each(option=OPERATORS)
def test_an_operator_is_of_the_class_of_its_kind(option: str) -> None:
    kind, name = option.split("/")
    assert isinstance(operator_of(search_with(kind, name), kind), KINDS[kind])


@for_each(name="search/select")
def test_a_selection_gives_positions(name: str) -> None:
    select = operator_of(search_with("select", name), "select")
    rows = rows_of(3)
    fitness = torch.tensor(
        [
            [1.0, -torch.inf, 3.0, 2.0],
            [0.5, 0.25, 0.125, 1.0],
            [-torch.inf, -torch.inf, -torch.inf, 7.0],
        ]
    )
    chosen = select(fitness, 6, rows)
    assert chosen.shape == (3, 6)
    assert chosen.dtype == torch.int64
    assert fitness.gather(1, chosen).isfinite().all()
    assert torch.equal(chosen, select(fitness, 6, rows))
    assert torch.equal(chosen[2:], select(fitness[2:], 6, rows.select(slice(2, 3))))
    assert select(fitness[:1, :1], 1, rows.select(slice(0, 1))).tolist() == [[0]]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@for_each(option=VARIATIONS)
def test_a_variation_keeps_shapes_and_items_apart(option: str, shape: tuple[int, ...]) -> None:
    kind, name = option.split("/")
    operator = operator_of(search_with(kind, name), kind)
    rows = rows_of(3)
    if kind == "mutate" and refuses(operator, torch.zeros(shape)):
        return
    for individuals in (1, 2, 5):
        genomes = genomes_of(shape, individuals)
        before = genomes.clone()
        try:
            offspring = operator(genomes, rows)
        except InputError:
            assert shape == (1,), "only a genome of a single gene may be too short"
            return
        assert torch.equal(genomes, before)
        assert offspring.shape == genomes.shape
        assert offspring.dtype == genomes.dtype
        assert offspring.isfinite().all()
        assert torch.equal(offspring, operator(genomes, rows))
        part = torch.tensor([2, 0])
        assert torch.equal(offspring[part], operator(genomes[part], rows.select(part)))
        if kind == "mutate":
            strength = torch.full((3, individuals), 0.5)
            assert operator(genomes, rows, strength).shape == genomes.shape
            assert operator.adapted(strength, rows).shape == strength.shape
            assert isinstance(operator.at(1), Mutation)


@for_each(name="search/mate")
def test_a_crossover_that_does_not_cross_returns_copies(name: str) -> None:
    mate = operator_of(search_with("mate", name), "mate")
    genomes = genomes_of((10,))
    if not mate.crosses:
        assert torch.equal(mate(genomes, rows_of(3)), genomes)


@for_each(option=OPERATORS)
def test_an_operator_does_its_part_in_a_search(option: str) -> None:
    kind, name = option.split("/")
    search = search_with(kind, name)
    problem, rows = one_max(12), rows_of(2)
    if kind == "mutate" and refuses(operator_of(search, kind), problem.start(rows)[0]):
        with pytest.raises(InputError):
            search.init(problem, rows)
        return
    state, scores = search.init(problem, rows), []
    for step in range(search.steps):
        state, report = search.step(problem, rows, state, step)
        scores.append(report.score)
    assert (torch.stack(scores).diff(dim=0) >= 0).all()
    images = Analytic(
        lambda g, rows: -g.flatten(1).square().sum(1), lambda rows: rows.normal(3, 4, 4)
    )
    state = search.init(images, rows, torch.zeros(2, 3, 4, 4))  # from a given genome as well
    _, report = search.step(images, rows, state, 0)
    assert report.genome.shape == (2, 3, 4, 4)
