"""Variation of whole populations: genomes [n, p, *shape] in, genomes out; one tensor operation where DEAP loops.

Each operator is registered in a DEAP `Toolbox` under DEAP's own verb (`select`, `mate`, `mutate`) and agrees
with DEAP's operator of the same name in distribution. Random draws come from `rows`, one key an item.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth import randomness
from synth.core import Rows
from synth.errors import InputError


@dataclass(frozen=True)
class Tournament:
    """Selection: the fittest of `size` individuals drawn with replacement (DEAP's ``selTournament``)."""

    size: int = 2

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"search.select.size={self.size}: a tournament has at least 1 entrant.")

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Positions [n, count] of the chosen in `fitness` [n, p], higher better."""
        entrants = (rows.uniform(count, self.size) * fitness.shape[1]).long()
        values = fitness.gather(1, entrants.flatten(1)).view_as(entrants)
        return entrants.gather(2, values.argmax(2, keepdim=True))[..., 0]


@dataclass(frozen=True)
class UniformCrossover:
    """Crossover: neighbours 0-1, 2-3, ... exchange each gene with probability one half (``cxUniform``, indpb 0.5).

    A pair mates with probability `rate`.
    """

    rate: float = 1.0

    def __post_init__(self) -> None:
        _check_share("search.mate.rate", self.rate)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        first, second = genomes[:, 0 : 2 * pairs : 2], genomes[:, 1 : 2 * pairs : 2]
        if pairs == 0:
            return genomes
        genes = first[0, 0].numel()
        swap = randomness.coins(rows.spread(pairs).key, genes).view_as(first)
        if self.rate < 1:
            mates = rows.fold(1).uniform(pairs) < self.rate
            swap &= mates.view(*mates.shape, *[1] * (first.ndim - 2))
        mixed = torch.empty_like(genomes)
        mixed[:, 0 : 2 * pairs : 2] = torch.where(swap, second, first)
        mixed[:, 1 : 2 * pairs : 2] = torch.where(swap, first, second)
        mixed[:, 2 * pairs :] = genomes[:, 2 * pairs :]  # the odd one out stays as it is
        return mixed


@dataclass(frozen=True)
class GaussianMutation:
    """Mutation: each gene, with probability `rate`, moves by a normal step of deviation `sigma` (``mutGaussian``)."""

    sigma: float = 0.1
    rate: float = 0.05

    def __post_init__(self) -> None:
        _check_share("search.mutate.rate", self.rate)
        if self.sigma < 0:
            raise InputError(f"search.mutate.sigma={self.sigma}: a standard deviation is at least 0.")

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        flat = genomes.flatten(2).flatten(0, 1)
        keys = rows.spread(genomes.shape[1]).key
        if self.rate in (0.0, 1.0):  # no gaps to draw
            noise = randomness.normal(keys, flat.shape[1]) if self.rate else torch.zeros_like(flat)
            return (flat + self.sigma * noise).view_as(genomes)
        places, inside = randomness.chosen(randomness.fold(keys, 1), flat.shape[1], self.rate)
        noise = randomness.normal(keys, places.shape[1]).mul_(self.sigma).mul_(inside)
        return flat.scatter_add(1, places, noise).view_as(genomes)


def _check_share(word: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"{word}={share}: a probability lies in [0, 1].")
