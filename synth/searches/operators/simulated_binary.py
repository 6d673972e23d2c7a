"""Takes genomes [n, p, *shape] of real numbers; gives children spread about each pair of parents: Deb's SBX."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Rows, randomness
from synth.errors import InputError
from synth.searches.operators._powers import power_
from synth.searches.operators._ranges import check_box, check_eta, check_share

LEAST = 1e-14  # genes nearer than this are one: DEAP's number


@dataclass(frozen=True)
class SimulatedBinary:
    """Simulated binary crossover (Deb & Agrawal 1995): children lie about their parents as those of bits do.

    The higher `eta`, the nearer children are to parents. Without `low` and `high` it is DEAP's
    ``cxSimulatedBinary``, in which every gene takes part. With them it is ``cxSimulatedBinaryBounded``, Deb's
    NSGA-II: a gene takes part with probability one half, the spread is cut so that no child leaves
    [low, high], and which child gets which value is a coin's choice. Parents outside of the bounds, which DEAP
    cannot take, are moved onto them first. A pair mates with probability `rate`.
    """

    eta: float = 15.0
    low: float | None = None
    high: float | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        check_share("search.mate.rate", self.rate)
        check_eta("search.mate.eta", self.eta)
        if (self.low is None) != (self.high is None):
            given, lacks = ("high", "low") if self.low is None else ("low", "high")
            raise InputError(
                f"search.mate.{lacks}: write it too where search.mate.{given} is given, or neither."
            )
        if self.low is not None and self.high is not None:
            check_box("search.mate", self.low, self.high)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        pairs = genomes.shape[1] // 2
        if pairs == 0:
            return genomes
        flat = genomes.flatten(2)
        first, second = flat[:, 0 : 2 * pairs : 2], flat[:, 1 : 2 * pairs : 2]
        chance = randomness.uniform(rows.split(pairs).key, flat.shape[2]).view_as(first)
        if self.low is None or self.high is None:
            one, other = self._unbounded(first, second, chance)
        else:
            one, other = self._bounded(first, second, chance, self.low, self.high)
        if self.rate < 1:
            mates = (rows.fold_in(1).uniform(pairs) < self.rate)[..., None]
            one, other = torch.where(mates, one, first), torch.where(mates, other, second)
        children = torch.empty_like(flat)
        children[:, 0 : 2 * pairs : 2] = one
        children[:, 1 : 2 * pairs : 2] = other
        children[:, 2 * pairs :] = flat[:, 2 * pairs :]
        return children.view_as(genomes)

    def _unbounded(self, first: Tensor, second: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        spread = power_(
            torch.where(chance <= 0.5, 2 * chance, 0.5 / (1 - chance)), 1 / (self.eta + 1)
        )
        middle, half = (first + second) * 0.5, (first - second).mul_(0.5).mul_(spread)
        return middle + half, middle - half

    def _bounded(
        self, first: Tensor, second: Tensor, chance: Tensor, low: float, high: float
    ) -> tuple[Tensor, Tensor]:
        quarter = chance.mul_(
            4
        ).floor()  # two coins, and what is left of the number is uniform still
        chance = chance.sub_(quarter)
        least, most = (
            torch.minimum(first, second).clamp_(low, high),
            torch.maximum(first, second).clamp_(low, high),
        )
        away = most - least
        apart = away > LEAST
        inverse = 2.0 / away.clamp_min(LEAST)
        below = self._spread((least - low).mul_(inverse), chance).mul_(away)
        above = self._spread((high - most).mul_(inverse), chance).mul_(away)
        middle = least.add_(most)
        under = (middle - below).mul_(0.5).clamp_(low, high)
        over = middle.add_(above).mul_(0.5).clamp_(low, high)
        apart &= quarter >= 2
        odd = (quarter == 1) | (quarter == 3)
        one, other = torch.where(odd, over, under), torch.where(odd, under, over)
        return torch.where(apart, one, first), torch.where(apart, other, second)

    def _spread(self, room: Tensor, chance: Tensor) -> Tensor:
        """How far a child goes, in halves of its parents' distance: `room` is what is free up to the bound."""
        alpha = 2.0 - power_(room.add_(1.0), -(self.eta + 1))
        share = alpha.mul_(chance)
        return power_(torch.where(share <= 1, share, 1 / (2 - share)), 1 / (self.eta + 1))
