"""Selection of whole populations against textbook laws and DEAP's operators run one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_worlds import rows_of

from synth.errors import InputError
from synth.searches.operators.selection import Best, Rank, Roulette, Tournament
from synth.searches.operators.stock import StockSelection

SELECTIONS = [Tournament(3), Roulette(), Rank(1.8), Best()]
LECTURE = [7.0, 5.0, 7.0, 4.0, 8.0, 3.0]  # the six strings of the lectures: their sum is 34


def counts(selection, fitness: list[float], draws: int = 20_000, items: int = 4) -> np.ndarray:
    chosen = selection(torch.tensor([fitness] * items), draws // items, rows_of(items, "selection"))
    assert chosen.shape == (items, draws // items)
    assert chosen.dtype == torch.int64
    return np.bincount(chosen.flatten(), minlength=len(fitness))


def agrees(result: np.ndarray, law: np.ndarray) -> bool:
    assert result[law == 0].sum() == 0
    return stats.chisquare(result[law > 0], law[law > 0] / law.sum() * result.sum()).pvalue > 0.01


@pytest.mark.parametrize(
    "fitness", [LECTURE, [0.0, 1.0, 0.0, 9.0], [1e30, 3e30, 2e30], [1e-30, 3e-30]]
)
def test_the_roulette_chooses_in_proportion_as_deaps_does(fitness: list[float]) -> None:
    law = np.array(fitness)
    assert agrees(counts(Roulette(), fitness), law)
    if min(fitness) > 0:  # DEAP's is defined for those alone
        theirs = counts(StockSelection("selRoulette"), fitness, 4000)
        assert agrees(theirs, law)
        assert stats.chi2_contingency([counts(Roulette(), fitness), theirs]).pvalue > 0.01


def test_the_roulette_is_shifted_where_a_fitness_is_below_zero() -> None:
    assert agrees(counts(Roulette(), [-3.0, -1.0, 2.0, -2.0]), np.array([0.0, 2.0, 5.0, 1.0]))
    both = torch.tensor([[1.0, 3.0], [-1.0, 3.0]])  # each item by itself
    chosen = Roulette()(both, 8000, rows_of(2))
    assert agrees(np.bincount(chosen[0]), np.array([1.0, 3.0]))
    assert (chosen[1] == 1).all()


@pytest.mark.parametrize("selection", [Roulette(), Rank(2.0), Rank(1.0), Tournament(2)])
def test_equals_are_chosen_alike(selection) -> None:
    for value in (0.0, 5.0, -5.0):
        assert agrees(counts(selection, [value] * 5), np.ones(5))


@pytest.mark.parametrize("pressure", [1.0, 1.5, 2.0])
def test_ranking_is_linear_and_equals_share(pressure: float) -> None:
    size = 6
    law = (2 - pressure) / size + 2 * (pressure - 1) * np.arange(size) / (size * (size - 1))
    assert agrees(counts(Rank(pressure), [-5.0, 1.0, 2.0, 3.0, 4.0, 1e6]), law)
    law[1:4] = law[1:4].mean()
    assert agrees(counts(Rank(pressure), [-5.0, 2.0, 2.0, 2.0, 4.0, 1e6]), law)


def test_the_best_are_deaps_and_come_round_again() -> None:
    fitness = torch.rand(3, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        Best()(fitness, 5, rows_of(3)), StockSelection("selBest")(fitness, 5, rows_of(3))
    )
    assert Best()(torch.tensor([[1.0, 3.0, torch.nan, 2.0]]), 7, rows_of(1)).tolist() == [
        [1, 3, 0, 1, 3, 0, 1]
    ]


@pytest.mark.parametrize(
    "selection", [*SELECTIONS, StockSelection("selTournament", {"tournsize": 3})]
)
def test_what_is_invalid_is_never_chosen_unless_nothing_else_is_there(selection) -> None:
    fitness = [-torch.inf, 1.0, torch.nan, 2.0, torch.inf, -torch.inf]
    result = counts(selection, fitness, 2000)
    assert result[[0, 2, 4, 5]].sum() == 0
    assert result[3] > 0
    for nothing in (-torch.inf, torch.nan):
        result = counts(selection, [nothing] * 4, 4000)
        assert agrees(result, np.ones(4))


@pytest.mark.parametrize(
    "selection", [*SELECTIONS, StockSelection("selTournament", {"tournsize": 2})]
)
@given(
    fitness=st.lists(
        st.lists(
            st.floats(width=32, allow_subnormal=False) | st.sampled_from([0.0, 1.0]),
            min_size=4,
            max_size=4,
        ),
        min_size=2,
        max_size=4,
    ),
    people=st.integers(1, 4),
    count=st.integers(1, 9),
)
def test_any_fitness_gives_positions_and_an_item_draws_alone_what_it_draws_in_a_batch(
    selection, fitness: list[list[float]], people: int, count: int
) -> None:
    values, rows = torch.tensor(fitness)[:, :people], rows_of(len(fitness))
    chosen = selection(values, count, rows)
    assert chosen.shape == (len(fitness), count)
    assert ((chosen >= 0) & (chosen < people)).all()
    finite = values.isfinite()
    assert (finite.gather(1, chosen) | ~finite.any(1, keepdim=True)).all()
    assert torch.equal(chosen[1:2], selection(values[1:2], count, rows.select(slice(1, 2))))


@pytest.mark.parametrize("wrong", [lambda: Tournament(0), lambda: Rank(0.9), lambda: Rank(2.1)])
def test_selections_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(InputError, match=r"^search\.select\.\w+=\S+: [^\n]+\.$"):
        wrong()
