"""Weighted sums of objectives."""

from __future__ import annotations

import pytest
import torch
from small_worlds import rows_of

from synth.core import Readout
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.errors import InputError
from synth.objectives.priors import L2, TotalVariation
from synth.objectives.scores import Channel, ClassScore


def test_terms_are_the_parts_times_their_weights(network: Network) -> None:
    images, rows = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), rows_of(2)
    parts = {
        "class": ClassScore(["lemon", "teapot"], weight=1.0),
        "channel": Channel("relu1", 3, weight=-2.5),
        "l2": L2(weight=0.5),
    }
    bound = WeightedSum({**parts, "off": None}).bind(network)
    assert bound.layers == ("output", "relu1")
    readout = Readout(network.read(images, bound.layers), images, rows)
    terms = bound(readout)
    assert list(terms) == ["class", "channel", "l2"]
    for name, part in parts.items():
        (alone,) = part.bind(network)(readout).values()
        torch.testing.assert_close(terms[name], part.weight * alone)


def test_the_first_term_names_the_targets(network: Network) -> None:
    rows = rows_of(3)
    bound = WeightedSum({"class": ClassScore(["lemon", 0, 1]), "tv": TotalVariation()}).bind(
        network
    )
    assert [target.index for target in bound.target(rows)] == [3, 0, 1]
    assert len(bound.items) == 3
    one_for_all = WeightedSum(
        {"class": ClassScore("lemon"), "channel": Channel("conv1", [0, 1, 2])}
    ).bind(network)
    assert len(one_for_all.items) == 3
    assert [target.index for target in one_for_all.target(rows)] == [3, 3, 3]


def test_a_sum_within_a_sum(network: Network) -> None:
    images, rows = torch.rand(1, 3, 16, 16), rows_of(1)
    inner = WeightedSum({"a": L2(weight=2.0), "b": TotalVariation(weight=3.0)})
    inner.weight = 10.0
    outer = WeightedSum({"whole": inner}).bind(network)(Readout({}, images, rows))
    (l2,), (variation,) = (
        part.bind(network)(Readout({}, images, rows)).values() for part in (L2(), TotalVariation())
    )
    torch.testing.assert_close(outer["whole"], 20 * l2 + 30 * variation)


def test_mistakes(network: Network) -> None:
    with pytest.raises(InputError, match=r"objective\.terms: empty"):
        WeightedSum({"off": None})
    with pytest.raises(InputError, match=r"they name 2 and 3 targets; name as many in each"):
        WeightedSum({"class": ClassScore([0, 1]), "channel": Channel("conv1", [0, 1, 2])}).bind(
            network
        )


def test_no_term_of_a_sum_is_lost() -> None:
    units = [Channel("conv1", unit) for unit in range(4)]
    pairs = (units[0] + units[1]) + (units[2] + units[3])
    assert list(pairs.terms.values()) == units
    named = WeightedSum({"l1": units[0]}) + WeightedSum({"l1": units[1]})
    assert list(named.terms.values()) == units[:2]
    assert list(sum(units).terms.values()) == units
    assert [term.weight for term in (sum(units[:2]) / 4).terms.values()] == [0.25, 0.25]
