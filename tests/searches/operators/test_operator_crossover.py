"""Crossover of whole populations, against DEAP's own operators run pair by pair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_worlds import rows_of
from torch import Tensor

from synth.errors import InputError
from synth.searches.operators.crossover import (
    NoCrossover,
    OnePoint,
    Rectangle,
    TwoPoint,
    UniformCrossover,
)
from synth.searches.operators.simulated_binary import SimulatedBinary
from synth.searches.operators.stock import StockCrossover

EXCHANGING = [OnePoint, TwoPoint, UniformCrossover, Rectangle]
PAIRS, GENES = 3000, 9


def children_of(crossover, *shape: int, pairs: int = PAIRS) -> Tensor:
    """The first child of each pair of parents all 0 and all 1, [pairs, *shape]."""
    genomes = torch.zeros(2, pairs, *shape)
    genomes[:, 1::2] = 1
    children = crossover(genomes, rows_of(2, "crossover"))
    torch.testing.assert_close(
        children[:, 0::2] + children[:, 1::2], torch.ones(2, pairs // 2, *shape)
    )
    return children[:, 0::2].flatten(0, 1)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(OnePoint(), "cxOnePoint"), (TwoPoint(), "cxTwoPoint")]
)
def test_points_are_drawn_as_deaps_are(ours, theirs: str) -> None:
    bits = 2 ** np.arange(GENES)
    result = [
        children_of(entry, GENES).numpy().astype(int) @ bits
        for entry in (ours, StockCrossover(theirs))
    ]
    spans = sorted(set(result[0]) | set(result[1]))
    every = GENES - 1 if theirs == "cxOnePoint" else GENES * (GENES - 1) // 2
    assert len(spans) == every
    table = np.array([[np.sum(entry == span) for span in spans] for entry in result])
    assert stats.chi2_contingency(table).pvalue > 0.01
    assert all(stats.chisquare(row).pvalue > 0.01 for row in table)  # every span is drawn alike


@pytest.mark.parametrize("genes", [1, 2, 3])
def test_short_genomes_have_few_points(genes: int) -> None:
    for crossover in (OnePoint(), TwoPoint()):
        result = children_of(crossover, genes, pairs=400).numpy()
        assert not result[:, 0].any()  # the first gene stays, as with DEAP
        assert (
            len(np.unique(result, axis=0))
            == {1: 1, 2: 1, 3: 2 if isinstance(crossover, OnePoint) else 3}[genes]
        )


def test_every_rectangle_is_drawn_alike_and_runs_through_all_channels() -> None:
    result = children_of(Rectangle(), 2, 3, 4, pairs=12_000).numpy()
    assert (result[:, 0] == result[:, 1]).all()
    output: dict[tuple[int, ...], int] = {}
    for entry in result[:, 0]:
        y, x = np.nonzero(entry)
        box = (y.min(), y.max(), x.min(), x.max())
        assert entry.sum() == (box[1] - box[0] + 1) * (box[3] - box[2] + 1)
        output[box] = output.get(box, 0) + 1
    assert len(output) == 6 * 10  # lines 0 ... 3 and 0 ... 4, two of each
    assert stats.chisquare(list(output.values())).pvalue > 0.01


def test_without_two_axes_a_rectangle_is_two_points() -> None:
    genomes = torch.rand(2, 6, 11, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Rectangle(0.6)(genomes, rows_of(2)), TwoPoint(0.6)(genomes, rows_of(2)))


def test_the_crossover_of_the_lectures() -> None:
    """Bits 3 to 5 of the first pair, none of the second, the last five of the third."""
    before = ["1111010101", "1110110101", "1110111101", "0111000101", "0100010011", "1110111101"]
    after = ["1110110101", "1111010101", "1110111101", "0111000101", "0100011101", "1110110011"]
    mutated = ["1110100101", "1111110100", "1110101111", "0111000101", "0100011101", "1110110001"]
    genomes = torch.tensor([[[float(bit) for bit in string] for string in before]])
    children = TwoPoint.exchanged(genomes, torch.tensor([[2, 0, 5]]), torch.tensor([[5, 0, 10]]))
    assert ["".join(f"{bit:.0f}" for bit in entry) for entry in children[0]] == after
    flips = torch.tensor(
        [[a != b for a, b in zip(*two, strict=True)] for two in zip(after, mutated, strict=True)]
    )
    mutants = torch.where(flips, 1 - children[0], children[0])
    assert ["".join(f"{bit:.0f}" for bit in entry) for entry in mutants] == mutated
    assert (
        sum(
            string.count("1")
            for string in (
                "1111010101",
                "0111000101",
                "1110110101",
                "0100010011",
                "1110111101",
                "0100110000",
            )
        )
        == 34
    )
    assert mutants.sum() == 37


@pytest.mark.parametrize("crossover", EXCHANGING)
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_a_share_of_the_pairs_mates(crossover, rate: float) -> None:
    mated = int(children_of(crossover(rate), 5, 6, pairs=4000).flatten(1).any(1).sum())
    if rate in (0, 1):
        assert mated == rate * 4000
    else:
        assert stats.binomtest(mated, 4000, rate).pvalue > 0.01


@pytest.mark.parametrize(
    "crossover",
    [
        NoCrossover(),
        *(entry(0.7) for entry in EXCHANGING),
        SimulatedBinary(rate=0.7),
        SimulatedBinary(5.0, 0.0, 1.0, 0.7),
        StockCrossover("cxTwoPoint", 0.7),
    ],
)
@given(people=st.integers(1, 7), shape=st.sampled_from([(1,), (5,), (3, 1), (4, 3), (2, 4, 5)]))
def test_pairs_keep_their_sum_the_odd_one_stays_and_items_are_alone(
    crossover, people: int, shape: tuple[int, ...]
) -> None:
    genomes, rows = (
        torch.rand(3, people, *shape, generator=torch.Generator().manual_seed(people)),
        rows_of(3),
    )
    if isinstance(crossover, StockCrossover) and shape == (1,):
        genomes = genomes.repeat(1, 1, 2)  # DEAP raises on one gene
    before = genomes.clone()
    children = crossover(genomes, rows)
    assert torch.equal(genomes, before)
    assert children.shape == genomes.shape
    assert children.dtype == genomes.dtype
    pairs = people // 2
    assert torch.equal(children[:, 2 * pairs :], genomes[:, 2 * pairs :])
    if not isinstance(crossover, SimulatedBinary):
        old, new = (
            entry[:, : 2 * pairs].unflatten(1, (pairs, 2)).sort(2).values
            for entry in (genomes, children)
        )
        assert torch.equal(old, new)  # the very genes, at their places
    elif crossover.low is None:
        torch.testing.assert_close(children.sum(1), genomes.sum(1), rtol=1e-4, atol=1e-4)
    else:
        assert children.min() >= 0
        assert children.max() <= 1
    part = torch.tensor([2, 0])
    assert torch.equal(children[part], crossover(genomes[part], rows.select(part)))
    assert torch.equal(children[1:2], crossover(genomes[1:2], rows.select(slice(1, 2))))


@pytest.mark.parametrize("eta", [0.0, 2.0, 15.0])
@pytest.mark.parametrize(("low", "high"), [(None, None), (0.0, 1.0), (-2.0, 0.5)])
@pytest.mark.parametrize("parents", [(0.2, 0.45), (0.4, 0.1), (0.0, 0.5), (0.3, 0.3001)])
def test_simulated_binary_spreads_as_deaps_does(
    eta: float, low: float | None, high: float | None, parents: tuple[float, float]
) -> None:
    genomes = torch.tensor(parents).repeat(50)[None, :, None].repeat(2, 1, 40)
    ours = SimulatedBinary(eta, low, high)(genomes, rows_of(2, "sbx", eta)).double()
    name, bounds = (
        ("cxSimulatedBinary", {})
        if low is None
        else ("cxSimulatedBinaryBounded", {"low": low, "up": high})
    )
    theirs = StockCrossover(name, arguments={"eta": eta, **bounds})(
        genomes.double(), rows_of(2, "sbx of deap", eta)
    )
    for place in (0, 1):
        entry, other = (drawn[:, place::2].flatten().numpy() for drawn in (ours, theirs))
        if low is not None:  # half of the genes do not take part
            still = [np.abs(drawn - parents[place]) < 1e-7 for drawn in (entry, other)]
            assert abs(still[0].mean() - still[1].mean()) < 4 * (0.5 / entry.size) ** 0.5
            entry, other = entry[~still[0]], other[~still[1]]
            assert entry.min() >= np.float32(low)
            assert entry.max() <= np.float32(high)
        assert stats.ks_2samp(entry, other).pvalue > 0.002
    both = [drawn.unflatten(1, (50, 2)).diff(dim=2).flatten().numpy() for drawn in (ours, theirs)]
    assert (
        stats.ks_2samp(np.round(both[0], 6), np.round(both[1], 6)).pvalue > 0.002
    )  # how the two hang together


def test_simulated_binary_survives_what_deaps_does_not() -> None:
    genomes = torch.tensor([-3.0, 7.0, 0.5, 0.5, 0.0, 0.0, 1.0, 1.0])[None, :, None].repeat(
        1, 1, 50
    )
    children = SimulatedBinary(20.0, 0.0, 1.0)(genomes, rows_of(1))
    assert children.isfinite().all()
    assert torch.equal(
        children[:, 2:], genomes[:, 2:]
    )  # parents that are one have children like them
    moved = children[:, :2][children[:, :2] != genomes[:, :2]]
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_the_two_coins_of_the_bounded_kind_are_fair() -> None:
    genomes = torch.tensor([0.25, 0.75]).repeat(200)[None, :, None].repeat(1, 1, 100)
    children = SimulatedBinary(3.0, 0.0, 1.0)(genomes, rows_of(1))[:, 0::2].flatten()
    moved = children != 0.25
    assert stats.binomtest(int(moved.sum()), len(moved), 0.5).pvalue > 0.01
    assert stats.binomtest(int((children[moved] > 0.5).sum()), int(moved.sum()), 0.5).pvalue > 0.01
    neighbours = moved.view(200, 100)
    assert all(
        abs(np.corrcoef(neighbours[:, a], neighbours[:, b])[0, 1]) < 0.35
        for a, b in pairwise(range(20))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        *(lambda kind=kind: kind(rate=-0.1) for kind in (*EXCHANGING, SimulatedBinary)),
        *(lambda kind=kind: kind(rate=1.5) for kind in (*EXCHANGING, SimulatedBinary)),
        lambda: SimulatedBinary(eta=-1.0),
        lambda: SimulatedBinary(low=0.0),
        lambda: SimulatedBinary(low=1.0, high=1.0),
        lambda: StockCrossover(rate=2.0),
    ],
)
def test_crossovers_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(InputError, match=r"^search\.mate\.\w+(=\S+)?( search\S+)?: [^\n]+\.$"):
        wrong()
