"""Intervals of 95 %: of a rate by Wilson's score, of any other statistic by bootstrap."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from math import floor, sqrt
from statistics import median

NORMAL = 1.959964  # standard deviations of a 95 % interval
DRAWS = 2000  # of the bootstrap
FEW = 30  # values; of more the ranks of an interval are nearly those of the bootstrap


def wilson(hits: int, counted: int) -> tuple[float, float]:
    """The interval of a rate of `hits` out of `counted`, 1 or more independent trials.

    It stays in [0, 1] and is right for few trials too, and where all or none succeed. Source:
    Wilson 1927, "Probable inference"; Brown, Cai & DasGupta 2001, "Interval estimation for a
    binomial proportion".
    """
    rate, share = hits / counted, NORMAL**2 / counted
    middle = rate + share / 2
    spread = NORMAL * sqrt(rate * (1 - rate) / counted + share / (4 * counted))
    low = (middle - spread) / (1 + share) if hits else 0.0
    high = (middle + spread) / (1 + share) if hits < counted else 1.0
    return low, high


def bootstrap(
    values: Sequence[float], statistic: Callable[[Sequence[float]], float], seed: int = 0
) -> tuple[float, float] | None:
    """The percentile interval of a statistic of `values`, which may be infinite.

    Args:
        values: of independent trials.
        statistic: such as `statistics.median`.
        seed: of the draws.

    Returns:
        The lower and the upper end; None of fewer than two values, which do not show a spread.
    """
    if len(values) < 2:
        return None
    draws = random.Random(seed)
    results = sorted(statistic(draws.choices(values, k=len(values))) for _ in range(DRAWS))
    return results[round(0.025 * (DRAWS - 1))], results[round(0.975 * (DRAWS - 1))]


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval of the median: by bootstrap of few values, of many by their ranks.

    The ranks are those of the binomial distribution of how many values lie below the median, as
    the normal distribution approximates it; they need no draws, so a million values take no longer
    than to sort them. Source: David & Nagaraja 2003, "Order Statistics", section 7.1.

    Args:
        values: of independent trials.

    Returns:
        As `bootstrap`.
    """
    if len(values) <= FEW:
        return bootstrap(values, median)
    ordered, spread = sorted(values), NORMAL * sqrt(len(values)) / 2
    low = floor(len(values) / 2 - spread)  # the rank from 1
    return ordered[low - 1], ordered[len(values) - low]


def text(value: object) -> str:
    """A number with its interval, as findings hold it: ``75 % (30-95)``, ``64 (40 - > 1,000)``.

    Args:
        value: an object with ``rate`` or ``median`` and ``interval``, or None. A number that is
            None in it is beyond its ``limit``.
    """
    if not isinstance(value, dict) or not value.get("interval"):
        return middle(value)
    low, high = value["interval"]
    if low is None:
        return middle(value)
    dash = " - " if high is None else "-"
    return f"{middle(value)} ({_digits(low, value)}{dash}{_digits(high, value)})"


def middle(value: object) -> str:
    """The same without its interval."""
    if not isinstance(value, dict):
        return "-"
    number = _digits(value["rate"] if "rate" in value else value.get("median"), value)
    return f"{number} %" if "rate" in value else number


def _digits(number: object, value: Mapping[str, object]) -> str:
    if not isinstance(number, int | float):
        limit = value.get("limit")
        return f"> {limit:,}" if isinstance(limit, int) else "-"
    if "rate" in value:
        return f"{100 * number:.0f}"
    return f"{number:.3g}" if abs(number) < 100 else f"{number:,.0f}"
