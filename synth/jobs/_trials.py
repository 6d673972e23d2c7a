"""The trials of a contender of a duel, and their numbers with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from synth.metrics.intervals import bootstrap, wilson
from synth.record.result import Json

TRANSFER = "transfer_to_"  # before the name of a network that reads the images of another


@dataclass
class Trials:
    """The trials of a contender against a network: one an item and seed.

    Attributes:
        contender: its name.
        network: name of the network that it reads.
        criterion: what counts as success, in words.
        passes: network passes to success of each trial that counts; infinite where it failed.
        distances: of successful images from natural pictures.
        transfers: whether another network meets the target for a successful image, by its name.
        seconds: that all took.
    """

    contender: str
    network: str
    criterion: str
    passes: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    transfers: dict[str, list[bool]] = field(default_factory=dict)
    seconds: float = 0.0

    def numbers(self, budgets: Sequence[int]) -> dict[str, Json]:
        """The numbers of the table, each with its interval."""
        counted = len(self.passes)
        row: dict[str, Json] = {
            "contender": self.contender,
            "network": self.network,
            "success_is": self.criterion,
        }
        for budget in budgets:
            row[f"success_at_{budget}"] = rate([passes <= budget for passes in self.passes])
        row["passes_to_success"] = _median(self.passes, 0, budgets[-1])
        row["natural_distance"] = _median(self.distances, 3)
        row |= {f"{TRANSFER}{name}": rate(hits) for name, hits in self.transfers.items()}
        return row | {"trials": counted, "seconds": round(self.seconds, 1)}


def rate(hits: Sequence[bool]) -> dict[str, Json] | None:
    """A rate with Wilson's interval; None of no trials."""
    if not hits:
        return None
    low, high = wilson(sum(hits), len(hits))
    return {
        "rate": round(sum(hits) / len(hits), 4),
        "interval": [round(low, 4), round(high, 4)],
        "success": sum(hits),
        "counted": len(hits),
    }


def _median(
    values: Sequence[float], digits: int, limit: int | None = None
) -> dict[str, Json] | None:
    """A median with its bootstrap interval; None in it is infinite, beyond the `limit`."""
    if not values:
        return None
    ends = bootstrap(values, median)
    numbers: dict[str, Json] = {
        "median": _finite(median(values), digits),
        "interval": None if ends is None else [_finite(end, digits) for end in ends],
        "counted": len(values),
    }
    return numbers if limit is None else numbers | {"limit": limit}


def _finite(value: float, digits: int) -> float | int | None:
    if not math.isfinite(value):
        return None
    return round(value, digits) if digits else round(value)
