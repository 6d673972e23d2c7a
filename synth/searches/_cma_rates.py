"""Strategy parameters of CMA-ES: recombination weights and learning rates.

Source: Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772 (2016), table 1; for a
diagonal covariance, Ros & Hansen, PPSN 2008.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Rates:
    """The strategy parameters (table 1 of the tutorial, its symbols in brackets).

    Args:
        weights: recombination weights of the ranks, best first [w_i].
        effective: variance-effective number of parents [mu_eff].
        step: learning rate of the path of the step size [c_sigma].
        damping: damping of the step size [d_sigma].
        path: learning rate of the path of the covariance [c_c].
        rank_one: learning rate of the rank-one update [c_1].
        rank_mu: learning rate of the rank-mu update [c_mu].
        expected: expected norm of a standard normal vector [chi_n].
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
    """The tutorial's default parameters.

    Args:
        length: numbers in a genome.
        population: samples of a generation.
        diagonal: whether the covariance is diagonal; its learning rates are then Ros & Hansen's.
        active: whether the worse half gets negative weights; else only the better half has weights.
    """
    ranked = [math.log((population + 1) / 2) - math.log(rank) for rank in range(1, population + 1)]
    parents = ranked[: population // 2]
    effective = sum(parents) ** 2 / sum(weight**2 for weight in parents)
    rank_one = 2 / ((length + 1.3) ** 2 + effective)
    rank_mu = 2 * (0.25 + effective - 2 + 1 / effective) / ((length + 2) ** 2 + effective)
    if diagonal:  # fewer numbers to learn, so faster
        rank_one, rank_mu = (rate * (length + 2) / 3 for rate in (rank_one, rank_mu))
    rank_one = min(1.0, rank_one)
    rank_mu = min(1 - rank_one, rank_mu)
    step = (effective + 2) / (length + effective + 5)
    weights = [weight / sum(parents) for weight in parents]
    if active:
        others = [min(0.0, weight) for weight in ranked[population // 2 :]]
        loss = -sum(others)
        effective_minus = loss**2 / sum(weight**2 for weight in others)
        most = min(
            1 + rank_one / rank_mu,
            1 + 2 * effective_minus / (effective + 2),
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
