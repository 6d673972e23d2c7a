"""Gene-wise mutations: Gaussian, bit flip, and polynomial.

Each gene mutates with probability `rate`, independently of its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Mutation, Rows, randomness
from synth.core.elementwise import where
from synth.searches.operators._powers import power_
from synth.searches.operators._ranges import check_box, check_deviation, check_eta, check_share


@dataclass(frozen=True)
class GaussianMutation(Mutation):
    """Gaussian mutation (DEAP's ``mutGaussian``): normal noise is added to some genes.

    Args:
        sigma: standard deviation of the noise; a strength multiplies it.
        rate: the probability in [0, 1] that a gene mutates.

    Raises:
        InputError: for numbers out of range.
    """

    sigma: float = 0.1
    rate: float = 0.05

    def __post_init__(self) -> None:
        check_share("search.mutate.rate", self.rate)
        check_deviation("search.mutate.sigma", self.sigma)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        flat = genomes.flatten(2).flatten(0, 1)
        keys = rows.split(genomes.shape[1]).key
        sigma = self.sigma if strength is None else self.sigma * strength.reshape(-1, 1)
        if self.rate in (0.0, 1.0):  # no gaps to draw
            noise = randomness.normal(keys, flat.shape[1]) if self.rate else torch.zeros_like(flat)
            return (flat + sigma * noise).view_as(genomes)
        places, inside = randomness.chosen(randomness.fold_in(keys, 1), flat.shape[1], self.rate)
        noise = randomness.normal(keys, places.shape[1]).mul_(sigma).mul_(inside)
        return flat.scatter_add(1, places, noise).view_as(genomes)


@dataclass(frozen=True)
class BitFlip(Mutation):
    """Bit-flip mutation (DEAP's ``mutFlipBit``): some genes change from 0 to 1 or from 1 to 0.

    Genomes are bool, or hold the numbers 0 and 1.

    Args:
        rate: the probability in [0, 1] that a gene mutates; a strength multiplies it, up to 1.

    Raises:
        InputError: for numbers out of range.
    """

    rate: float = 0.05

    def __post_init__(self) -> None:
        check_share("search.mutate.rate", self.rate)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        keys = rows.split(genomes.shape[1]).key
        flat = genomes.flatten(2).flatten(0, 1)
        if flat.dtype == torch.bool:
            flat = flat.to(torch.int8)
        if strength is not None or self.rate in (0.0, 1.0):
            flips = _mutates(keys, flat.shape[1], self.rate, strength)
            flat = torch.where(flips, 1 - flat, flat)
        else:
            places, inside = randomness.chosen(keys, flat.shape[1], self.rate)
            flat = flat.scatter_add(1, places, (1 - 2 * flat.gather(1, places)).mul_(inside))
        return flat.to(genomes.dtype).view_as(genomes)


@dataclass(frozen=True)
class Polynomial(Mutation):
    """Polynomial mutation (DEAP's ``mutPolynomialBounded``): bounded steps of some genes.

    Deb & Goyal 1996, as in the C code of NSGA-II. No mutant leaves the bounds; a gene outside of
    them, which DEAP cannot handle, is clipped to them when it mutates.

    Args:
        eta: crowding degree, 0 or more: the higher, the smaller the steps.
        rate: the probability in [0, 1] that a gene mutates; a strength multiplies it, up to 1.
        low: lower bound of a gene.
        high: upper bound of a gene.

    Raises:
        InputError: for numbers out of range.
    """

    eta: float = 20.0
    rate: float = 0.05
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_share("search.mutate.rate", self.rate)
        check_eta("search.mutate.eta", self.eta)
        check_box("search.mutate", self.low, self.high)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        keys = rows.split(genomes.shape[1]).key
        flat = genomes.flatten(2).flatten(0, 1)
        if strength is not None or self.rate in (0.0, 1.0):
            mutates = _mutates(randomness.fold_in(keys, 1), flat.shape[1], self.rate, strength)
            flat = torch.where(
                mutates, self._moved(flat, randomness.uniform(keys, flat.shape[1])), flat
            )
        else:  # powers are computed only for the genes that mutate
            places, inside = randomness.chosen(
                randomness.fold_in(keys, 1), flat.shape[1], self.rate
            )
            genes = flat.gather(1, places)
            moved = self._moved(genes, randomness.uniform(keys, places.shape[1]))
            # padding repeats the first gene's mutation, so that no gene is written two values
            moved = torch.where(
                inside, moved, torch.where(inside[:, :1], moved[:, :1], genes[:, :1])
            )
            flat = flat.scatter(1, torch.where(inside, places, places[:, :1]), moved)
        return flat.view_as(genomes)

    def _moved(self, genes: Tensor, chance: Tensor) -> Tensor:
        """`genes` after a step drawn by `chance`, uniform in [0, 1); both float, of one shape."""
        place = ((genes - self.low) / (self.high - self.low)).clamp_(0.0, 1.0)
        lower = chance < 0.5
        double = where(lower, chance, 1 - chance).mul_(2.0)
        room = power_(where(lower, 1 - place, place), self.eta + 1)
        step = power_(room.mul_(1 - double).add_(double), 1 / (self.eta + 1)).neg_().add_(1.0)
        place.add_(where(lower, -step, step)).mul_(self.high - self.low).add_(self.low)
        return place.clamp_(self.low, self.high)


def _mutates(keys: Tensor, genes: int, rate: float, strength: Tensor | None) -> Tensor:
    """Which genes mutate, bool [r, genes]: each at `rate` times the strength of its individual."""
    if strength is None:
        return torch.full((len(keys), genes), rate == 1.0, device=keys.device)
    return randomness.uniform(keys, genes) < (rate * strength).reshape(-1, 1)
