"""Parent selection: tournament, roulette wheel, linear ranking, and the best.

An individual whose fitness is not finite is invalid and is never chosen, unless its item has no
valid one; then all of its individuals are equally fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Rows, Selection
from synth.errors import InputError


@dataclass(frozen=True)
class Tournament(Selection):
    """Tournament selection (DEAP's ``selTournament``): the fittest of `size` random individuals.

    They are drawn with replacement. Departs from DEAP in that invalid individuals do not enter.

    Args:
        size: individuals of a tournament, 1 or more.

    Raises:
        InputError: for a size below 1.
    """

    size: int = 2

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(
                f"search.select.size={self.size}: a tournament has at least 1 entrant."
            )

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        valid = _eligible(fitness)
        # valid individuals first, otherwise in their order
        order = (~valid).to(torch.uint8).argsort(dim=1, stable=True)
        entrants = (rows.uniform(count, self.size) * valid.sum(1)[:, None, None]).long()
        entrants = order.gather(1, entrants.flatten(1)).view_as(entrants)
        values = _finite(fitness).gather(1, entrants.flatten(1)).view_as(entrants)
        return entrants.gather(2, values.argmax(2, keepdim=True))[..., 0]


@dataclass(frozen=True)
class Roulette(Selection):
    """Roulette wheel selection (Holland 1975; DEAP's ``selRoulette``): in proportion to fitness.

    The probability is f(i) / sum f. DEAP's cannot be used where a fitness is below 0; here the
    fitness of an item that has one is shifted so that its worst valid individual has 0. Where all
    have 0, all are equally likely.
    """

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        valid = _eligible(fitness)
        scale = _finite(fitness).abs().masked_fill(~valid, 0.0).amax(1, keepdim=True)
        # relative to the largest, so that no sum overflows
        shares = _finite(fitness) / scale.clamp_min(torch.finfo(fitness.dtype).tiny)
        worst = shares.masked_fill(~valid, torch.inf).amin(1, keepdim=True).clamp_max(0.0)
        return _spun((shares - worst).masked_fill(~valid, 0.0), valid, count, rows)


@dataclass(frozen=True)
class Rank(Selection):
    """Linear ranking selection (Baker 1985; Whitley 1989): only the order of the fitness counts.

    Of v valid individuals the best is chosen with probability `pressure` / v, the worst with
    (2 - `pressure`) / v, and those between linearly; equals share their ranks. DEAP has no such
    operator.

    Args:
        pressure: selection pressure in [1, 2]; at 1 all are equally likely.

    Raises:
        InputError: for a pressure out of range.
    """

    pressure: float = 1.5

    def __post_init__(self) -> None:
        if not 1 <= self.pressure <= 2:
            raise InputError(
                f"search.select.pressure={self.pressure}: linear ranking takes a number in [1, 2]."
            )

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        valid = _eligible(fitness)
        values = _finite(fitness).masked_fill(~valid, -torch.inf).contiguous()
        ladder = values.sort(dim=1).values
        below = torch.searchsorted(ladder, values)
        up_to = torch.searchsorted(ladder, values, right=True)
        number = valid.sum(1, keepdim=True)
        # from 0, the worst valid individual, to v - 1
        rank = (below + up_to - 1) / 2 - (fitness.shape[1] - number)
        weights = (2 - self.pressure) + 2 * (self.pressure - 1) * rank / (number - 1).clamp_min(1)
        return _spun(weights.clamp_min(0.0).masked_fill(~valid, 0.0), valid, count, rows)


@dataclass(frozen=True)
class Best(Selection):
    """Truncation selection (DEAP's ``selBest``): the `count` fittest, best first, without chance.

    Where more are wanted than there are valid ones, it begins again with the best. Of equals the
    earlier comes first.
    """

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        valid = _eligible(fitness)
        values = _finite(fitness).masked_fill(~valid, -torch.inf)
        order = values.argsort(dim=1, descending=True, stable=True)
        places = torch.arange(count, device=fitness.device).expand(len(fitness), count)
        return order.gather(1, places % valid.sum(1, keepdim=True))


def _eligible(fitness: Tensor) -> Tensor:
    """Which individuals may be chosen, bool [n, p]: the valid ones; all where an item has none."""
    valid = fitness.isfinite()
    return valid | ~valid.any(1, keepdim=True)


def _finite(fitness: Tensor) -> Tensor:
    """`fitness` with 0 for invalid individuals."""
    return fitness.masked_fill(~fitness.isfinite(), 0.0)


def _spun(weights: Tensor, valid: Tensor, count: int, rows: Rows) -> Tensor:
    """Positions [n, count] drawn in proportion to `weights` [n, p], each 0 or more.

    Where all weights of an item are 0, its `valid` individuals are equally likely.
    """
    weights = torch.where(weights.any(1, keepdim=True), weights, valid.to(weights.dtype))
    wheel = weights.cumsum(1)
    total = wheel[:, -1:]
    ball = torch.minimum(rows.uniform(count) * total, total.nextafter(torch.zeros_like(total)))
    # the first individual whose share of the wheel ends beyond the ball
    return torch.searchsorted(wheel, ball, right=True)
