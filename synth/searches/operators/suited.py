"""The operators that suit the genome, where the user chooses none."""

from __future__ import annotations

from torch import Tensor

from synth.core import Crossover, Genome, Mutation, Rows, graph
from synth.searches.operators.combined_mutation import Mixture, SelfAdaptive
from synth.searches.operators.crossover import NoCrossover, Rectangle, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.regional_mutation import Patch, Smooth
from synth.searches.operators.topology import TopologyMutation

SIGMA = 0.4  # of a pixel, in [0, 1]
# of a gene of an indirect encoding, whose scale is about 1 by convention, and how many mutate
GENE_SIGMA, GENE_RATE = 0.3, 0.2


class SuitedCrossover(Crossover):
    """None for graphs; rectangles where genomes are images; else uniform crossover.

    Args:
        rate: the share in [0, 1] of the pairs that are crossed.

    Raises:
        InputError: for a rate out of range.
    """

    def __init__(self, rate: float = 1.0) -> None:
        UniformCrossover(rate)  # checks it
        self.rate = rate

    def suited(self, genome: Genome, size: tuple[int, int] | None) -> Crossover:
        if graph.is_graph(genome):
            return NoCrossover()
        kind = Rectangle if _is_image(genome, size) else UniformCrossover
        return kind(self.rate)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        return self.suited(genomes[0, 0], None)(genomes, rows)


class SuitedMutation(Mutation):
    """Topology for graphs; smooth noise and patches where genomes are images; else Gaussian noise.

    The strength of the latter two is self-adaptive.

    Args:
        strength: factor of the step length of each of them.

    Raises:
        InputError: for a negative strength.
    """

    def __init__(self, strength: float = 1.0) -> None:
        GaussianMutation(strength)  # checks it
        self.strength = strength

    def suited(self, genome: Genome, size: tuple[int, int] | None) -> Mutation:
        if graph.is_graph(genome):
            return TopologyMutation(sigma=0.5 * self.strength)
        if _is_image(genome, size):
            sigma = SIGMA * self.strength
            return SelfAdaptive(Mixture({"smooth": Smooth(sigma), "patch": Patch(sigma)}))
        return SelfAdaptive(GaussianMutation(GENE_SIGMA * self.strength, GENE_RATE))

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        return self.suited(genomes[0, 0], None)(genomes, rows, strength)


def _is_image(genome: Genome, size: tuple[int, int] | None) -> bool:
    """Whether a genome [*shape] is an image itself, by its last two axes."""
    return genome.ndim >= 3 and tuple(genome.shape[-2:]) == size
