"""Takes fitness [n, p], one population an item; gives positions int64 [n, count] of the parents chosen from it.

Higher fitness is better. What is no finite number is an invalid individual and is never chosen, unless an
item has nothing else; then all of its individuals are alike. Draws come from `rows`, one key an item.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Rows
from synth.errors import InputError


@dataclass(frozen=True)
class Tournament:
    """Selection: the fittest of `size` individuals drawn with replacement (DEAP's ``selTournament``).

    Departs from DEAP in that invalid individuals do not enter.
    """

    size: int = 2

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(
                f"search.select.size={self.size}: a tournament has at least 1 entrant."
            )

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Positions [n, count] of the chosen in `fitness` [n, p], higher better."""
        valid = _eligible(fitness)
        order = (
            (~valid).to(torch.uint8).argsort(dim=1, stable=True)
        )  # the valid first, each in its place
        entrants = (rows.uniform(count, self.size) * valid.sum(1)[:, None, None]).long()
        entrants = order.gather(1, entrants.flatten(1)).view_as(entrants)
        values = _finite(fitness).gather(1, entrants.flatten(1)).view_as(entrants)
        return entrants.gather(2, values.argmax(2, keepdim=True))[..., 0]


@dataclass(frozen=True)
class Roulette:
    """Selection in proportion to fitness, f(i) / sum f (Holland 1975; DEAP's ``selRoulette``).

    DEAP's cannot be used where a fitness is below 0. Here the fitness of an item that has one is shifted so
    that its worst valid individual has 0. Where all have 0, each is chosen alike.
    """

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Positions [n, count] of the chosen in `fitness` [n, p]."""
        valid = _eligible(fitness)
        scale = _finite(fitness).abs().masked_fill(~valid, 0.0).amax(1, keepdim=True)
        shares = _finite(fitness) / scale.clamp_min(
            torch.finfo(fitness.dtype).tiny
        )  # so that no sum overflows
        worst = shares.masked_fill(~valid, torch.inf).amin(1, keepdim=True).clamp_max(0.0)
        return _spun((shares - worst).masked_fill(~valid, 0.0), valid, count, rows)


@dataclass(frozen=True)
class Rank:
    """Selection by linear ranking (Baker 1985; Whitley 1989): only the order of the fitness counts.

    Of v valid individuals the best is chosen with probability `pressure` / v, the worst with
    (2 - `pressure`) / v, those between on the line; equals share their ranks. `pressure` lies in [1, 2]: at 1
    all are chosen alike. DEAP has no such operator.
    """

    pressure: float = 1.5

    def __post_init__(self) -> None:
        if not 1 <= self.pressure <= 2:
            raise InputError(
                f"search.select.pressure={self.pressure}: linear ranking takes a number in [1, 2]."
            )

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Positions [n, count] of the chosen in `fitness` [n, p]."""
        valid = _eligible(fitness)
        values = _finite(fitness).masked_fill(~valid, -torch.inf).contiguous()
        ladder = values.sort(dim=1).values
        below, up_to = (
            torch.searchsorted(ladder, values),
            torch.searchsorted(ladder, values, right=True),
        )
        number = valid.sum(1, keepdim=True)
        rank = (below + up_to - 1) / 2 - (
            fitness.shape[1] - number
        )  # 0, the worst valid one, to v - 1
        weights = (2 - self.pressure) + 2 * (self.pressure - 1) * rank / (number - 1).clamp_min(1)
        return _spun(weights.clamp_min(0.0).masked_fill(~valid, 0.0), valid, count, rows)


@dataclass(frozen=True)
class Best:
    """Selection without chance: the `count` fittest, best first (DEAP's ``selBest``).

    Where more are wanted than there are valid ones it begins again with the best. Of equals the earlier comes
    first.
    """

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Positions [n, count] of the fittest in `fitness` [n, p]."""
        valid = _eligible(fitness)
        order = (
            _finite(fitness)
            .masked_fill(~valid, -torch.inf)
            .argsort(dim=1, descending=True, stable=True)
        )
        places = torch.arange(count, device=fitness.device).expand(len(fitness), count)
        return order.gather(1, places % valid.sum(1, keepdim=True))


def _eligible(fitness: Tensor) -> Tensor:
    """Who may be chosen, bool [n, p]: whose fitness is finite; everyone of an item where no one's is."""
    valid = fitness.isfinite()
    return valid | ~valid.any(1, keepdim=True)


def _finite(fitness: Tensor) -> Tensor:
    """`fitness` with 0 for what is no finite number; who has it is chosen only where no one is valid."""
    return fitness.masked_fill(~fitness.isfinite(), 0.0)


def _spun(weights: Tensor, valid: Tensor, count: int, rows: Rows) -> Tensor:
    """Positions [n, count] drawn in proportion to `weights` [n, p], 0 or more; from all `valid` where all are 0."""
    weights = torch.where(weights.any(1, keepdim=True), weights, valid.to(weights.dtype))
    wheel = weights.cumsum(1)
    total = wheel[:, -1:]
    ball = torch.minimum(rows.uniform(count) * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(wheel, ball, right=True)  # the first whose share ends beyond the ball
