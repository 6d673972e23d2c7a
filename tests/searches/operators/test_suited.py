"""Operators that suit the encoding: one for graphs, one for images, one for the rest."""

from __future__ import annotations

import pytest
import torch
from small_worlds import rows_of
from torch import Tensor

from synth.core import graph
from synth.errors import InputError
from synth.searches.operators.combined_mutation import Mixture, SelfAdaptive
from synth.searches.operators.crossover import NoCrossover, Rectangle, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.suited import SuitedCrossover, SuitedMutation
from synth.searches.operators.topology import TopologyMutation

GRAPH = graph.blank(1, 3, 4, 3, torch.device("cpu"))[0]
IMAGE = torch.zeros(3, 8, 12)
CODE = torch.zeros(40)
SPECTRUM = torch.zeros(3, 4, 4)  # of an image of 8x12 pixels
SIZE = (8, 12)


@pytest.mark.parametrize(
    ("genome", "crossover"),
    [(GRAPH, NoCrossover), (IMAGE, Rectangle), (CODE, UniformCrossover)],
)
def test_a_crossover_suits_the_genome(genome: Tensor, crossover: type) -> None:
    suited = SuitedCrossover(rate=0.5).suited(genome, SIZE)
    assert type(suited) is crossover
    assert suited.rate == (1.0 if crossover is NoCrossover else 0.5)


def test_a_mutation_suits_the_genome() -> None:
    mutation = SuitedMutation(strength=2.0)
    topology = mutation.suited(GRAPH, SIZE)
    assert isinstance(topology, TopologyMutation)
    assert topology.sigma == 1.0
    regional = mutation.suited(IMAGE, SIZE)
    assert isinstance(regional, SelfAdaptive)
    assert isinstance(regional.of, Mixture)
    assert {part.sigma for part in regional.of.of} == {0.8}
    for genome in (CODE, SPECTRUM):
        gaussian = mutation.suited(genome, SIZE)
        assert isinstance(gaussian, SelfAdaptive)
        assert isinstance(gaussian.of, GaussianMutation)
        assert gaussian.of.sigma == 0.6


def test_other_operators_stand_for_themselves() -> None:
    for operator in (UniformCrossover(), GaussianMutation()):
        assert operator.suited(GRAPH, SIZE) is operator


@pytest.mark.parametrize("wrong", [lambda: SuitedCrossover(2.0), lambda: SuitedMutation(-1.0)])
def test_numbers_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        wrong()


@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_the_pairs_that_are_crossed_are_those_that_exchange_genes(rate: float) -> None:
    rows = rows_of(2)
    genomes = torch.arange(2 * 41 * 6.0).view(2, 41, 6)
    for crossover in (UniformCrossover(rate), Rectangle(rate)):
        crossed = crossover.crossed(41, rows)
        changed = (crossover(genomes, rows) != genomes).any(2)
        assert crossed.shape == (2, 20)
        assert not changed[:, :40:2][~crossed].any()
        assert changed[:, :40:2][crossed].float().mean() > 0.5 if rate else not changed.any()
    assert not NoCrossover().crossed(41, rows).any()
