"""Crossover by exchange of genes: uniform, one-point, two-point, rectangles, and none.

Neighbours 0-1, 2-3, ... of a population are crossed with probability `rate`; where their number is
odd the last one stays as it is. Genes are exchanged, never created or lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Crossover, Genome, Rows, randomness
from synth.core.elementwise import exchange_
from synth.searches.operators._ranges import check_image, check_share


@dataclass(frozen=True)
class NoCrossover(Crossover):
    """No crossover: offspring are copies of their parents, which only mutation changes."""

    crosses = False

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        return genomes


@dataclass(frozen=True)
class _PairwiseCrossover(Crossover):
    """Crossover of pairs of neighbours, each crossed with probability `rate`."""

    rate: float = 1.0

    def __post_init__(self) -> None:
        check_share("search.mate.rate", self.rate)


@dataclass(frozen=True)
class UniformCrossover(_PairwiseCrossover):
    """Uniform crossover (DEAP's ``cxUniform``): each gene is exchanged with probability 0.5.

    Args:
        rate: the share in [0, 1] of the pairs that are crossed.

    Raises:
        InputError: for a rate out of range.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        if pairs == 0:
            return genomes
        first = genomes[:, 0 : 2 * pairs : 2]
        genes = first[0, 0].numel()
        swap = randomness.coins(rows.split(pairs).key, genes).view_as(first)
        if self.rate < 1:
            crossed = self.crossed(genomes.shape[1], rows)
            swap &= crossed.view(*crossed.shape, *[1] * (first.ndim - 2))
        return exchanged(genomes, swap)


@dataclass(frozen=True)
class OnePoint(_PairwiseCrossover):
    """One-point crossover (DEAP's ``cxOnePoint``): the genes from a random point on are exchanged.

    The point lies between two genes of the flattened genome, each such point equally likely; a
    genome of a single gene has none and stays as it is.

    Args:
        rate: the share in [0, 1] of the pairs that are crossed.

    Raises:
        InputError: for a rate out of range.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        genes = genomes[0, 0].numel()
        if pairs == 0 or genes < 2:
            return genomes
        draws = rows.uniform(2, pairs)  # one more than is used, so that a seed keeps its pictures
        start = 1 + (draws[:, 0] * (genes - 1)).long()
        end = torch.where(self.crossed(genomes.shape[1], rows), genes, 0)
        return TwoPoint.exchanged(genomes, start, end)


@dataclass(frozen=True)
class TwoPoint(_PairwiseCrossover):
    """Two-point crossover (DEAP's ``cxTwoPoint``): the genes between two points are exchanged.

    The points are drawn as DEAP draws them, on the flattened genome: two different ones of
    1 ... genes, in ascending order. The first gene is thus never exchanged, and a genome of a
    single gene stays as it is.

    Args:
        rate: the share in [0, 1] of the pairs that are crossed.

    Raises:
        InputError: for a rate out of range.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        genes = genomes[0, 0].numel()
        if pairs == 0 or genes < 2:
            return genomes
        draws = rows.uniform(3, pairs)  # one more than is used, so that a seed keeps its pictures
        start, end = _two_of(1, genes, draws[:, 0], draws[:, 1])
        crossed = self.crossed(genomes.shape[1], rows)
        return self.exchanged(genomes, start, torch.where(crossed, end, 0))

    @staticmethod
    def exchanged(genomes: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """`genomes` with the genes start <= gene < end of each pair exchanged.

        Args:
            genomes: [n, p, *shape].
            start: int64 [n, p // 2], an index into the flattened genome.
            end: the same; an interval that ends before it starts exchanges nothing.

        Returns:
            [n, p, *shape].
        """
        # 32 bits are compared twice as fast as 64
        gene = torch.arange(genomes[0, 0].numel(), dtype=torch.int32, device=genomes.device)
        swap = gene >= start[..., None].int()
        swap &= gene < end[..., None].int()
        return exchanged(genomes, swap.view(*start.shape, *genomes.shape[2:]))


@dataclass(frozen=True)
class Rectangle(_PairwiseCrossover):
    """Block crossover of images: a random rectangle is exchanged, in all channels.

    The rectangle lies in the last two axes and extends over all others; its edges are two of the
    lines 0 ... height and two of 0 ... width, every rectangle equally likely. It is two-point
    crossover for images: pixels that are neighbours in either direction stay together
    (Cartwright & Harris 1993). A genome of one axis is crossed by `TwoPoint`.

    Args:
        rate: the share in [0, 1] of the pairs that are crossed.

    Raises:
        InputError: for a rate out of range.
    """

    def check(self, genome: Genome) -> None:
        check_image("search.mate=rectangle", genome)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        if genomes.ndim < 4:
            return TwoPoint(self.rate)(genomes, rows)
        if pairs == 0:
            return genomes
        height, width = genomes.shape[-2:]
        draws = rows.uniform(5, pairs)  # one more than is used, so that a seed keeps its pictures
        top, bottom = _two_of(0, height, draws[:, 0], draws[:, 1])
        left, right = _two_of(0, width, draws[:, 2], draws[:, 3])
        bottom = torch.where(self.crossed(genomes.shape[1], rows), bottom, 0)
        y = torch.arange(height, device=genomes.device)
        x = torch.arange(width, device=genomes.device)
        down = (y >= top[..., None]) & (y < bottom[..., None])
        across = (x >= left[..., None]) & (x < right[..., None])
        swap = down[..., :, None] & across[..., None, :]
        return exchanged(
            genomes, swap.view(*swap.shape[:2], *[1] * (genomes.ndim - 4), height, width)
        )


def exchanged(genomes: Tensor, swap: Tensor) -> Tensor:
    """`genomes` [n, p, *shape] with the genes of each pair exchanged where `swap` is True.

    `swap` is bool [n, p // 2, *shape], or broadcasts to it.
    """
    pairs = genomes.shape[1] // 2
    mixed = genomes.clone(memory_format=torch.contiguous_format)
    exchange_(mixed[:, 0 : 2 * pairs : 2], mixed[:, 1 : 2 * pairs : 2], swap)
    return mixed


def _two_of(least: int, most: int, draw1: Tensor, draw2: Tensor) -> tuple[Tensor, Tensor]:
    """Two different integers of least ... most in ascending order, every pair equally likely.

    `draw1` and `draw2` are uniform in [0, 1) and of one shape, which is that of both results.
    """
    first = least + (draw1 * (most - least + 1)).long()
    second = least + (draw2 * (most - least)).long()
    second = second + (second >= first)
    return torch.minimum(first, second), torch.maximum(first, second)
