"""Takes genomes [n, p, *shape]; gives as many children, neighbours 0-1, 2-3, ... having exchanged genes.

A pair mates with probability `rate`; where p is odd the last one stays as it is. Genes are exchanged and
never made or lost, but for `SimulatedBinary`, which keeps each pair's mean. Draws come from `rows`, one key
an item.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Rows, randomness
from synth.searches.operators._ranges import check_share


@dataclass(frozen=True)
class NoCrossover:
    """No crossover: children are their parents, and mutation alone makes what is new."""

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        return genomes


@dataclass(frozen=True)
class _Paired:
    """What all crossovers have: a pair mates with probability `rate`."""

    rate: float = 1.0

    def __post_init__(self) -> None:
        check_share("search.mate.rate", self.rate)


@dataclass(frozen=True)
class UniformCrossover(_Paired):
    """Crossover: neighbours 0-1, 2-3, ... exchange each gene with probability one half (``cxUniform``, indpb 0.5).

    A pair mates with probability `rate`.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        if pairs == 0:
            return genomes
        first = genomes[:, 0 : 2 * pairs : 2]
        genes = first[0, 0].numel()
        swap = randomness.coins(rows.split(pairs).key, genes).view_as(first)
        if self.rate < 1:
            mates = rows.fold_in(1).uniform(pairs) < self.rate
            swap &= mates.view(*mates.shape, *[1] * (first.ndim - 2))
        return exchanged(genomes, swap)


@dataclass(frozen=True)
class OnePoint(_Paired):
    """Crossover: a pair exchanges the genes from a random point to the end (DEAP's ``cxOnePoint``).

    The point lies between two genes of the flattened genome, each such place alike; a genome of one gene has
    none and stays. A pair mates with probability `rate`.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs, genes = genomes.shape[1] // 2, genomes[0, 0].numel()
        if pairs == 0 or genes < 2:
            return genomes
        draws = rows.uniform(2, pairs)
        start = 1 + (draws[:, 0] * (genes - 1)).long()
        end = torch.where(draws[:, 1] < self.rate, genes, 0)
        return TwoPoint.exchanged(genomes, start, end)


@dataclass(frozen=True)
class TwoPoint(_Paired):
    """Crossover: a pair exchanges the genes between two random points (DEAP's ``cxTwoPoint``).

    The points are drawn as DEAP draws them, on the flattened genome: one of 1 ... genes, another of those, in
    order; the first gene is thus never exchanged, and a genome of one gene stays. A pair mates with
    probability `rate`.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs, genes = genomes.shape[1] // 2, genomes[0, 0].numel()
        if pairs == 0 or genes < 2:
            return genomes
        draws = rows.uniform(3, pairs)
        one, other = _two_of(1, genes, draws[:, 0], draws[:, 1])
        return self.exchanged(genomes, one, torch.where(draws[:, 2] < self.rate, other, 0))

    @staticmethod
    def exchanged(genomes: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """`genomes` [n, p, *shape], the genes start <= gene < end of each pair exchanged.

        `start` and `end` are int64 [n, p // 2] and count the genes of the flattened genome from 0; a span that
        ends before it starts exchanges nothing.
        """
        gene = torch.arange(genomes[0, 0].numel(), device=genomes.device)
        swap = (gene >= start[..., None]) & (gene < end[..., None])
        return exchanged(genomes, swap.view(*start.shape, *genomes.shape[2:]))


@dataclass(frozen=True)
class Rectangle(_Paired):
    """Crossover: a pair exchanges a random rectangle of the picture, in all channels.

    The rectangle lies in the last two axes and runs through all others; each rectangle is drawn alike, that is
    two of the lines 0 ... height and two of 0 ... width. It is two-point crossover as pictures have it:
    neighbouring pixels stay together in both directions (block crossover of images; Cartwright & Harris 1993).
    A genome of one axis has no rectangles and is crossed by `TwoPoint`. A pair mates with probability `rate`.
    """

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        if genomes.ndim < 4:
            return TwoPoint(self.rate)(genomes, rows)
        if pairs == 0:
            return genomes
        height, width = genomes.shape[-2:]
        draws = rows.uniform(5, pairs)
        top, bottom = _two_of(0, height, draws[:, 0], draws[:, 1])
        left, right = _two_of(0, width, draws[:, 2], draws[:, 3])
        bottom = torch.where(draws[:, 4] < self.rate, bottom, 0)
        y, x = (
            torch.arange(height, device=genomes.device),
            torch.arange(width, device=genomes.device),
        )
        down = (y >= top[..., None]) & (y < bottom[..., None])
        across = (x >= left[..., None]) & (x < right[..., None])
        swap = down[..., :, None] & across[..., None, :]
        return exchanged(
            genomes, swap.view(*swap.shape[:2], *[1] * (genomes.ndim - 4), height, width)
        )


def exchanged(genomes: Tensor, swap: Tensor) -> Tensor:
    """`genomes` [n, p, *shape] with the genes where `swap` (bool [n, p // 2, *shape] or broadcast) exchanged."""
    pairs = genomes.shape[1] // 2
    first, second = genomes[:, 0 : 2 * pairs : 2], genomes[:, 1 : 2 * pairs : 2]
    mixed = torch.empty_like(genomes)
    mixed[:, 0 : 2 * pairs : 2] = torch.where(swap, second, first)
    mixed[:, 1 : 2 * pairs : 2] = torch.where(swap, first, second)
    mixed[:, 2 * pairs :] = genomes[:, 2 * pairs :]  # the odd one out stays as it is
    return mixed


def _two_of(least: int, most: int, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two different whole numbers of least ... most in order, every two alike, from two uniform tensors."""
    first = least + (one * (most - least + 1)).long()
    second = least + (other * (most - least)).long()
    second = second + (second >= first)
    return torch.minimum(first, second), torch.maximum(first, second)
