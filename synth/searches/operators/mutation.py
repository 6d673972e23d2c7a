"""Takes genomes [n, p, *shape] and, where steps adapt, a strength [n, p]; gives mutants: each gene on its own.

A gene mutates with probability `rate`, whatever its neighbours do. Draws come from `rows`, one key an item.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Rows, randomness
from synth.searches.operators._powers import power_
from synth.searches.operators._ranges import check_box, check_deviation, check_eta, check_share


@dataclass(frozen=True)
class GaussianMutation:
    """Mutation: each gene, with probability `rate`, moves by a normal step of deviation `sigma` (``mutGaussian``).

    A `strength` [n, p] multiplies each individual's `sigma`.
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
class BitFlip:
    """Mutation: each gene, with probability `rate`, becomes 1 where it was 0 and 0 where it was 1 (``mutFlipBit``).

    Genomes are bool, or hold the numbers 0 and 1. A `strength` [n, p] multiplies each individual's `rate`, up
    to 1.
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
            flips = _struck(keys, flat.shape[1], self.rate, strength)
            flat = torch.where(flips, 1 - flat, flat)
        else:
            places, inside = randomness.chosen(keys, flat.shape[1], self.rate)
            flat = flat.scatter_add(1, places, (1 - 2 * flat.gather(1, places)).mul_(inside))
        return flat.to(genomes.dtype).view_as(genomes)


@dataclass(frozen=True)
class Polynomial:
    """Mutation: each gene, with probability `rate`, moves within [low, high] by Deb's polynomial law.

    Deb & Goyal 1996 as NSGA-II's C code has it, DEAP's ``mutPolynomialBounded``: the higher `eta`, the smaller
    the step; no mutant leaves the bounds. A gene outside of them, which DEAP cannot take, is moved onto them
    when it mutates. A `strength` [n, p] multiplies each individual's `rate`, up to 1.
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
            struck = _struck(randomness.fold_in(keys, 1), flat.shape[1], self.rate, strength)
            flat = torch.where(
                struck, self._moved(flat, randomness.uniform(keys, flat.shape[1])), flat
            )
        else:  # the genes that mutate alone are raised to powers
            places, inside = randomness.chosen(
                randomness.fold_in(keys, 1), flat.shape[1], self.rate
            )
            genes = flat.gather(1, places)
            moved = self._moved(genes, randomness.uniform(keys, places.shape[1]))
            # what lies beyond the last gene does again what the first did, so that no place is given two values
            moved = torch.where(
                inside, moved, torch.where(inside[:, :1], moved[:, :1], genes[:, :1])
            )
            flat = flat.scatter(1, torch.where(inside, places, places[:, :1]), moved)
        return flat.view_as(genomes)

    def _moved(self, genes: Tensor, chance: Tensor) -> Tensor:
        """`genes`, each moved by what `chance`, uniform in [0, 1), says; both float, of one shape."""
        place = ((genes - self.low) / (self.high - self.low)).clamp_(0.0, 1.0)
        lower = chance < 0.5
        double = torch.where(lower, chance, 1 - chance).mul_(2.0)
        room = power_(torch.where(lower, 1 - place, place), self.eta + 1)
        step = power_(room.mul_(1 - double).add_(double), 1 / (self.eta + 1)).neg_().add_(1.0)
        place = (
            place.add_(torch.where(lower, -step, step)).mul_(self.high - self.low).add_(self.low)
        )
        return place.clamp_(self.low, self.high)


def _struck(keys: Tensor, genes: int, rate: float, strength: Tensor | None) -> Tensor:
    """Which genes mutate, bool [r, genes], each individual at a rate of its own: `rate` times its strength."""
    if strength is None:
        return torch.full((len(keys), genes), rate == 1.0, device=keys.device)
    return randomness.uniform(keys, genes) < (rate * strength).reshape(-1, 1)
