"""Operators that change regions of images refuse graphs."""

from __future__ import annotations

import pytest
import torch

from synth.core import Crossover, Mutation, graph
from synth.errors import InputError
from synth.searches.operators.combined_mutation import Mixture, SelfAdaptive
from synth.searches.operators.crossover import Rectangle, UniformCrossover
from synth.searches.operators.regional_mutation import Patch, Smooth

GRAPH = graph.blank(1, 4, 5, 3, torch.device("cpu"))[0]


@pytest.mark.parametrize(
    "operator",
    [Smooth(), Patch(), SelfAdaptive(Mixture([Smooth(), Patch()])), Rectangle()],
    ids=lambda operator: type(operator).__name__,
)
def test_graphs_have_no_regions(operator: Crossover | Mutation) -> None:
    operator.check(torch.zeros(3, 8, 8))
    with pytest.raises(InputError, match="search/mutate=topology search/mate=none"):
        operator.check(GRAPH)


def test_other_crossovers_take_any_genome() -> None:
    UniformCrossover().check(GRAPH)
