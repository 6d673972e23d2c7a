"""What every operator of a genetic search owes: shapes kept, chance by rows, any genome, a place in the search."""

from __future__ import annotations

import pytest
import torch
from parts import composed, names
from small_worlds import Analytic, one_max, rows_of
from torch import Tensor

from synth.config.building import build
from synth.errors import InputError
from synth.searches.genetic import Genetic

SHAPES = [(1,), (10,), (4, 6), (3, 5, 4), (2, 3, 4, 4)]


def search_with(kind: str, name: str, *overrides: str) -> Genetic:
    words = [
        "search=genetic",
        f"search/{kind}={name}",
        "search.population=6",
        "search.generations=3",
    ]
    return build(composed(*words, *overrides)["search"], [])


def genomes_of(shape: tuple[int, ...], people: int = 5) -> Tensor:
    return torch.rand(3, people, *shape, generator=torch.Generator().manual_seed(0)).round()


def suits(operator: object, genome: Tensor) -> bool:
    """Whether an operator takes such genomes; one that is made for another kind refuses them."""
    check = getattr(operator, "check", None)
    if check is None:
        return True
    try:
        check(genome)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("name", names("search/select"))
def test_a_selection_gives_positions(name: str) -> None:
    select, rows = search_with("select", name).toolbox.select, rows_of(3)
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
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("mate", "mutate") for name in names(f"search/{kind}")],
)
def test_a_variation_keeps_shapes_and_items_apart(
    kind: str, name: str, shape: tuple[int, ...]
) -> None:
    if name == "stock" and shape == (1,):
        pytest.skip("DEAP's own operators want two genes")
    operator, rows = getattr(search_with(kind, name).toolbox, kind), rows_of(3)
    if not suits(operator.func, torch.zeros(shape)):
        return
    for people in (1, 2, 5):
        genomes = genomes_of(shape, people)
        before = genomes.clone()
        children = operator(genomes, rows)
        assert torch.equal(genomes, before)
        assert children.shape == genomes.shape
        assert children.dtype == genomes.dtype
        assert children.isfinite().all()
        assert torch.equal(children, operator(genomes, rows))
        part = torch.tensor([2, 0])
        assert torch.equal(children[part], operator(genomes[part], rows.select(part)))
        if kind == "mutate":
            strength = torch.full((3, people), 0.5)
            assert operator(genomes, rows, strength).shape == genomes.shape


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("select", "mate", "mutate") for name in names(f"search/{kind}")],
)
def test_an_operator_does_its_part_in_a_search(kind: str, name: str) -> None:
    search, problem, rows = search_with(kind, name), one_max(12), rows_of(2)
    if not suits(getattr(search.toolbox, kind).func, problem.start(rows)[0]):
        with pytest.raises(InputError):
            search.init(problem, rows)
        return
    state, scores = search.init(problem, rows), []
    for step in range(search.steps):
        state, said = search.step(problem, rows, state, step)
        scores.append(said.score)
    assert (torch.stack(scores).diff(dim=0) >= 0).all()
    pictures = Analytic(
        lambda g, rows: -g.flatten(1).square().sum(1), lambda rows: rows.normal(3, 4, 4)
    )
    state = search.init(pictures, rows, torch.zeros(2, 3, 4, 4))  # from a given picture as well
    _, said = search.step(pictures, rows, state, 0)
    assert said.genome.shape == (2, 3, 4, 4)


def test_a_mutation_is_chosen_within_a_mutation() -> None:
    inner = search_with(
        "mutate",
        "self_adaptive",
        "search/mutate@search.mutate.of=patch",
        "search.mutate.of.sigma=0.5",
    )
    assert inner.toolbox.mutate.func.of.sigma == 0.5
    more = search_with(
        "mutate",
        "mixture",
        "+search/mutate@search.mutate.of.gaussian=gaussian",
        "+search.mutate.shares.gaussian=3",
    )
    assert [type(one).__name__ for one in more.toolbox.mutate.func.of] == [
        "Smooth",
        "Patch",
        "GaussianMutation",
    ]
    assert more.toolbox.mutate.func.shares == [0.2, 0.2, 0.6]
