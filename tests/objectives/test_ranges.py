"""The range that an objective declares holds its scores, and bounds what ``until`` may be."""

from __future__ import annotations

import math

import pytest
import torch
from small_worlds import rows_of

from synth.core import BoundObjective, Readout
from synth.core.network import OUTPUT, Network
from synth.core.weighted_sum import WeightedSum
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import SCORES, ClassScore
from synth.objectives.untargeted import Untargeted


def scores_of(bound: BoundObjective, network: Network) -> torch.Tensor:
    images = torch.rand(6, 3, *network.size)
    activations = {OUTPUT: 40 * network(images)}
    readout = Readout(activations, images, rows_of(6))
    return torch.stack(list(bound(readout).values())).sum(0)


@pytest.mark.parametrize("score", SCORES)
def test_class_scores(score: str, loud_network: Network) -> None:
    for objective in (ClassScore("lemon", score), EveryClass("all", score)):
        bound = objective.bind(loud_network)
        low, high = bound.range
        scores = scores_of(bound, loud_network)
        assert bool((low <= scores).all() and (scores <= high).all())
        assert (high - low == 1) == (score == "probability")


@pytest.mark.parametrize("score", ["margin", "cross_entropy", "probability"])
def test_untargeted_scores(score: str, loud_network: Network) -> None:
    bound = Untargeted("china", label="lemon", score=score).bind(loud_network)
    low, high = bound.range
    scores = scores_of(bound, loud_network)
    assert bool((low <= scores).all() and (scores <= high).all())
    assert (low == 0) == (score != "margin")


def test_a_weighted_sum_has_the_range_of_its_only_term(network: Network) -> None:
    term = ClassScore("lemon", "probability", weight=2.0)
    assert WeightedSum({"a": term}).bind(network).range == (0.0, 2.0)
    assert WeightedSum({"a": term, "b": term}).bind(network).range == (-math.inf, math.inf)
