"""Checks of the operators' numbers and genomes; each raises InputError naming the key."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth.core import Genome, graph
from synth.errors import InputError


def check_share(word: str, share: float) -> None:
    """`share` is a probability in [0, 1]; `word` is the key it was written under."""
    if not 0 <= share <= 1:
        raise InputError(f"{word}={share}: a probability lies in [0, 1].")


def check_deviation(word: str, sigma: float) -> None:
    """`sigma` is a standard deviation, finite and at least 0."""
    if not 0 <= sigma < math.inf:
        raise InputError(f"{word}={sigma}: a standard deviation is at least 0.")


def check_eta(word: str, eta: float) -> None:
    """`eta` is Deb's crowding degree (distribution index), finite and at least 0.

    The higher it is, the nearer offspring are to their parents.
    """
    if not 0 <= eta < math.inf:
        raise InputError(f"{word}={eta}: the crowding degree is at least 0.")


def check_box(part: str, low: float, high: float) -> None:
    """`low` is below `high`, both finite."""
    if not -math.inf < low < high < math.inf:
        raise InputError(f"{part}.low={low} {part}.high={high}: low must lie below high.")


def check_image(word: str, genome: Genome) -> None:
    """`genome` is no graph, whose numbers have no neighbours."""
    if graph.is_graph(genome):
        raise InputError(
            f"{word}: it changes regions of images, and genomes are graphs here (encoding=cppn); "
            "write search/mutate=topology search/mate=none."
        )


def span_of(
    word: str, value: float | Sequence[float], least: float, most: float
) -> tuple[float, float]:
    """A range (low, high) with least <= low <= high <= most.

    Args:
        word: the key that `value` was written under.
        value: a number, or the two ends of a range.
        least: the smallest allowed end.
        most: the largest allowed end.
    """
    ends = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(ends) != 2 or not least <= ends[0] <= ends[1] <= most:
        above = f"in [{least:g}, {most:g}]" if most < math.inf else f"of at least {least:g}"
        raise InputError(
            f"{word}={value}: write a number {above}, or two such ends of a range, [low, high]."
        )
    return float(ends[0]), float(ends[1])
