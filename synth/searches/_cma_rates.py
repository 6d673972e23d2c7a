"""Takes the length of a genome and the size of a population; gives the constants of a CMA evolution strategy.

Source: Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772 (2016), table 1; with a diagonal
covariance, Ros & Hansen, PPSN 2008.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Rates:
    """The constants of a strategy (table 1 of the tutorial): `weights` of the ranks, best first, and learning rates.

    `effective` is the variance-effective number of parents, `expected` the expected length of a standard normal
    vector.
    """

    weights: tuple[float, ...]
    effective: float
    step: float
    damping: float
    path: float
    rank_one: float
    rank_mu: float
    expected: float


@cache
def rates(length: int, population: int, diagonal: bool, active: bool = False) -> Rates:
    """The tutorial's defaults for genomes of `length` numbers, and Ros & Hansen's where the covariance is `diagonal`.

    The weights are those of the better half; with `active`, negative ones of the worse half follow.
    """
    ranked = [math.log((population + 1) / 2) - math.log(rank) for rank in range(1, population + 1)]
    parents = ranked[: population // 2]
    effective = sum(parents) ** 2 / sum(weight**2 for weight in parents)
    rank_one = 2 / ((length + 1.3) ** 2 + effective)
    rank_mu = 2 * (0.25 + effective - 2 + 1 / effective) / ((length + 2) ** 2 + effective)
    if diagonal:  # fewer numbers to learn: faster
        rank_one, rank_mu = (rate * (length + 2) / 3 for rate in (rank_one, rank_mu))
    rank_one = min(1.0, rank_one)
    rank_mu = min(1 - rank_one, rank_mu)
    step = (effective + 2) / (length + effective + 5)
    weights = [weight / sum(parents) for weight in parents]
    if active:
        others = [min(0.0, weight) for weight in ranked[population // 2 :]]
        loss = -sum(others)
        against = loss**2 / sum(weight**2 for weight in others)
        most = min(
            1 + rank_one / rank_mu,
            1 + 2 * against / (effective + 2),
            (1 - rank_one - rank_mu) / (length * rank_mu),
        )
        weights += [weight * most / loss for weight in others]
    return Rates(
        weights=tuple(weights),
        effective=effective,
        step=step,
        damping=1 + 2 * max(0.0, math.sqrt((effective - 1) / (length + 1)) - 1) + step,
        path=(4 + effective / length) / (length + 4 + 2 * effective / length),
        rank_one=rank_one,
        rank_mu=rank_mu,
        expected=math.sqrt(length) * (1 - 1 / (4 * length) + 1 / (21 * length**2)),
    )
