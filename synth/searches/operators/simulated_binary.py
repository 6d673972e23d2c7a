"""Simulated binary crossover (SBX) of real genomes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Crossover, Rows, randomness
from synth.core.elementwise import exchange_, where
from synth.errors import InputError
from synth.searches.operators._powers import power_
from synth.searches.operators._ranges import check_box, check_eta, check_share

LEAST = 1e-14  # genes nearer than this count as equal: DEAP's number


@dataclass(frozen=True)
class SimulatedBinary(Crossover):
    """Simulated binary crossover (SBX; Deb & Agrawal 1995): offspring spread about their parents.

    Without bounds it is DEAP's ``cxSimulatedBinary``, in which every gene takes part and the mean
    of each pair is preserved. With bounds it is ``cxSimulatedBinaryBounded``, as in NSGA-II: a gene
    takes part with probability 0.5, the spread is truncated so that no offspring leaves the
    bounds, and a coin decides which of the two gets which value. Parents outside of the bounds,
    which DEAP cannot handle, are clipped to them first.

    Args:
        eta: crowding degree, 0 or more: the higher, the nearer offspring are to their parents.
        low: lower bound of a gene; given together with `high`, or not at all.
        high: upper bound of a gene.
        rate: the share in [0, 1] of the pairs that are crossed.

    Raises:
        InputError: for numbers out of range, or one bound without the other.
    """

    eta: float = 15.0
    low: float | None = None
    high: float | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        check_share("search.mate.rate", self.rate)
        check_eta("search.mate.eta", self.eta)
        if (self.low is None) != (self.high is None):
            written, lacks = ("high", "low") if self.low is None else ("low", "high")
            raise InputError(
                f"search.mate.{lacks}: write it too where search.mate.{written} is given, or "
                "neither."
            )
        if self.low is not None and self.high is not None:
            check_box("search.mate", self.low, self.high)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        if pairs == 0:
            return genomes
        flat = genomes.flatten(2)
        first = flat[:, 0 : 2 * pairs : 2]
        second = flat[:, 1 : 2 * pairs : 2]
        chance = randomness.uniform(rows.split(pairs).key, flat.shape[2]).view_as(first)
        if self.low is None or self.high is None:
            child1, child2 = self._unbounded(first, second, chance)
        else:
            child1, child2 = self._bounded(first, second, chance, self.low, self.high)
        if self.rate < 1:
            crossed = self.crossed(genomes.shape[1], rows)[..., None]
            child1 = torch.where(crossed, child1, first)
            child2 = torch.where(crossed, child2, second)
        children = torch.empty_like(flat)
        children[:, 0 : 2 * pairs : 2] = child1
        children[:, 1 : 2 * pairs : 2] = child2
        children[:, 2 * pairs :] = flat[:, 2 * pairs :]
        return children.view_as(genomes)

    def _unbounded(self, first: Tensor, second: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        base = where(chance <= 0.5, 2 * chance, 0.5 / (1 - chance))
        spread = power_(base, 1 / (self.eta + 1))
        middle = (first + second) * 0.5
        half = (first - second).mul_(0.5).mul_(spread)
        return middle + half, middle - half

    def _bounded(
        self, first: Tensor, second: Tensor, chance: Tensor, low: float, high: float
    ) -> tuple[Tensor, Tensor]:
        # two coins from the first two bits of the number; the rest of it is still uniform
        quarter = chance.mul_(4).floor()
        chance = chance.sub_(quarter)
        least = torch.minimum(first, second).clamp_(low, high)
        most = torch.maximum(first, second).clamp_(low, high)
        distance = most - least
        crossed = (distance > LEAST).logical_and_(quarter >= 2)
        inverse = 2.0 / distance.clamp_min(LEAST)
        below = self._spread((least - low).mul_(inverse), chance).mul_(distance)
        above = self._spread((high - most).mul_(inverse), chance).mul_(distance)
        middle = least.add_(most)
        under = (middle - below).mul_(0.5).clamp_(low, high)
        over = middle.add_(above).mul_(0.5).clamp_(low, high)
        exchange_(under, over, quarter == 3)
        return where(crossed, under, first), where(crossed, over, second)

    def _spread(self, room: Tensor, chance: Tensor) -> Tensor:
        """The spread of a child, in halves of its parents' distance.

        `room` is the distance from the nearer parent to the bound, in the same unit.
        """
        alpha = 2.0 - power_(room.add_(1.0), -(self.eta + 1))
        share = alpha.mul_(chance)
        # the logarithm of the share where that is at most 1, else of 1 / (2 - share)
        logarithm = torch.minimum(share, 2 - share).log_().div_(self.eta + 1)
        return torch.copysign(logarithm, share.sub_(1.0)).exp_()
