"""Stock DEAP operators: the same as on lists, restored generators, errors of one line."""

from __future__ import annotations

import random
from contextlib import suppress

import numpy as np
import pytest
import torch
from deap import tools
from small_worlds import rows_of

from synth.errors import InputError
from synth.searches.operators.combined_mutation import SelfAdaptive
from synth.searches.operators.stock import StockCrossover, StockMutation, StockSelection, seeded

FITNESS = torch.tensor([[1.0, 5.0, 2.0, 8.0], [3.0, 3.0, 9.0, 1.0]])


def test_it_is_deaps_function_on_lists() -> None:
    genomes, rows = torch.rand(2, 3, 2, 4, generator=torch.Generator().manual_seed(0)), rows_of(2)
    mutants = StockMutation("mutShuffleIndexes", {"indpb": 0.4})(genomes, rows)
    for item in range(2):
        random.seed(int(rows.key[item]))
        theirs = [
            tools.mutShuffleIndexes(entry.flatten().tolist(), 0.4)[0] for entry in genomes[item]
        ]
        torch.testing.assert_close(mutants[item].flatten(1), torch.tensor(theirs), rtol=0, atol=0)


def test_the_same_rows_draw_the_same() -> None:
    genomes, rows = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(0)), rows_of(2)
    for operator in (
        StockMutation("mutGaussian", {"mu": 0, "sigma": 1, "indpb": 0.5}),
        StockCrossover("cxUniform", 1.0, {"indpb": 0.5}),
    ):
        result = operator(genomes, rows)
        assert torch.equal(result, operator(genomes, rows))
        assert not torch.equal(result, operator(genomes, rows_of(2, "others")))


def test_global_chance_is_put_back() -> None:
    before, their = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with seeded(5):
        drawn = random.random(), np.random.random()  # noqa: NPY002
    again: list[tuple[float, float]] = []
    with suppress(ZeroDivisionError), seeded(5):
        again.append((random.random(), np.random.random()))  # noqa: NPY002
        raise ZeroDivisionError
    assert again == [drawn]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == (before, their)  # noqa: NPY002


def test_bits_arrive_as_zero_and_one_and_indices_as_whole_numbers() -> None:
    bits = torch.tensor([[[1.0, 0.0, 1.0, 1.0, 0.0]] * 4])
    assert torch.equal(StockMutation("mutFlipBit", {"indpb": 1.0})(bits, rows_of(1)), 1 - bits)
    assert torch.equal(
        StockMutation("mutFlipBit", {"indpb": 1.0})(bits.bool(), rows_of(1)), ~bits.bool()
    )
    orders = torch.stack(
        [torch.randperm(9, generator=torch.Generator().manual_seed(s)).float() for s in range(4)]
    )[None]
    for name in ("cxOrdered", "cxPartialyMatched"):
        children = StockCrossover(name)(orders, rows_of(1))
        assert not torch.equal(children, orders)
        assert torch.equal(children.sort(2).values, torch.arange(9.0).expand(1, 4, 9))


def test_stochastic_universal_sampling_gives_everyone_their_share() -> None:
    chosen = StockSelection("selStochasticUniversalSampling")(FITNESS, 16, rows_of(2))
    assert (
        torch.stack([(chosen == place).sum(1) for place in range(4)], 1).tolist()
        == FITNESS.int().tolist()
    )


def test_an_argument_is_scaled_where_strength_adapts() -> None:
    genomes, strength = torch.zeros(1, 2, 500), torch.tensor([[0.0, 3.0]])
    mutants = SelfAdaptive(StockMutation("mutGaussian", {"mu": 0, "sigma": 1.0, "indpb": 1.0}))(
        genomes, rows_of(1), strength
    )
    assert (mutants[0, 0] == 0).all()
    assert 2.5 < mutants[0, 1].std() < 3.5
    mutants = StockMutation("mutFlipBit", {"indpb": 0.5})(genomes, rows_of(1), strength)
    assert mutants.mean(2).tolist() == [[0.0, 1.0]]
    with pytest.raises(InputError, match="nothing there can adapt"):
        StockMutation("mutInversion")(genomes, rows_of(1), strength)


@pytest.mark.parametrize(
    ("wrong", "report"),
    [
        (
            lambda: StockSelection("selTournamnt"),
            "search.select.name=selTournamnt: .* Did you mean selTournament",
        ),
        (
            lambda: StockCrossover("mutFlipBit"),
            "search.mate.name=mutFlipBit: DEAP has no such operator",
        ),
        (lambda: StockMutation("flip"), "search.mutate.name=flip: .*mutFlipBit"),
        (
            lambda: StockSelection("selTournament", {}),
            r"needs tournsize; write \+search.select.arguments.tournsize=",
        ),
        (
            lambda: StockMutation("mutFlipBit", {"rate": 0.5}),
            "search.mutate.arguments.rate: .* It takes indpb",
        ),
        (
            lambda: StockMutation("mutFlipBit", {"indpb": 1.5}),
            r"arguments.indpb=1.5: a probability lies in \[0, 1\]",
        ),
        (
            lambda: StockSelection("selRoulette")(torch.zeros(1, 3), 3, rows_of(1)),
            "chose 0 of 3 parents",
        ),
        (
            lambda: StockCrossover("cxTwoPoint")(torch.zeros(1, 2, 1), rows_of(1)),
            "fails here .*ValueError",
        ),
        (
            lambda: StockCrossover("cxMessyOnePoint")(torch.rand(1, 40, 9), rows_of(1)),
            "keeps its 9",
        ),
        (
            lambda: StockMutation("mutGaussian", {"mu": 0, "sigma": "x", "indpb": 1.0})(
                torch.rand(1, 2, 3), rows_of(1)
            ),
            "fails here",
        ),
        (
            lambda: StockMutation("mutESLogNormal", {"c": 1, "indpb": 1.0})(
                torch.rand(1, 2, 3), rows_of(1)
            ),
            "strategy",
        ),
    ],
)
def test_mistakes_are_one_line(wrong, report: str) -> None:
    with pytest.raises(InputError, match=report) as caught:
        wrong()
    assert "\n" not in str(caught.value)
