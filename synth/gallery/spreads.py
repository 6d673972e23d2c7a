"""The table of methods: rates and medians with intervals, never across different criteria."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from synth.gallery.entries import Row
from synth.gallery.numerals import NOTHING, duration, number, percent, plain
from synth.metrics import intervals
from synth.metrics.intervals import wilson

Group = tuple[str, str, str]  # method, network, criterion
# the numbers of which a median is shown, with their headings
MEDIANS: dict[str, tuple[str, Callable[[float], str]]] = {
    "confidence": ("Confidence", percent),
    "passes": ("Passes", plain),
    "passes_to_success": ("To success", plain),
    "seconds": ("Time", duration),
    "natural_distance": ("Natural distance", lambda value: plain(value, 3)),
    "linf": ("L∞", lambda value: plain(value, 3)),
    "l2": ("L2", lambda value: plain(value, 3)),
    "transfer_confidence": ("Transfer confidence", percent),
}
NO_CRITERION = "no success is counted"
FEWEST = 6  # values with which an interval can hold their median at 95 %: 1 - 2 / 2 ** 6 is .97


@dataclass
class Spread:
    """The numbers of the pictures of a method on a network, held to one criterion.

    Attributes:
        pictures: how many there are.
        counted: how many have a verdict.
        successes: how many succeeded.
        values: their numbers by name.
        spent: passes of each success.
        transfers: verdicts of other networks, by name: asked, agreed.
    """

    pictures: int = 0
    counted: int = 0
    successes: int = 0
    values: dict[str, array] = field(default_factory=dict)
    spent: array = field(default_factory=lambda: array("d"))
    transfers: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Counts an item."""
        self.pictures += 1
        if isinstance(row["success"], bool):
            self.counted += 1
            self.successes += row["success"]
            passes = number(row["passes_to_success"])
            passes = number(row["passes"]) if passes is None else passes
            if row["success"] and passes is not None:
                self.spent.append(passes)
        for name in MEDIANS:
            value = number(row[name])
            if value is not None:
                self.values.setdefault(name, array("d")).append(value)
        if isinstance(row["transfer_success"], bool):
            counts = self.transfers.setdefault(str(row["transfer_network"]), [0, 0])
            counts[0] += 1
            counts[1] += row["transfer_success"]


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        method: its name.
        network: that it read.
        colour: of the method, in the palette.
        cells: texts, one a heading; each the number and its interval.
    """

    method: str
    network: str
    colour: int
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Block:
    """The lines that one criterion holds for."""

    criterion: str
    lines: tuple[Line, ...]


def headings_of(spreads: Sequence[Spread]) -> list[str]:
    """Those of the cells: of what at least one of the methods has."""
    medians = [
        heading
        for name, (heading, _) in MEDIANS.items()
        if any(name in spread.values for spread in spreads)
    ]
    transfer = ["Transfer"] if any(spread.transfers for spread in spreads) else []
    return ["Pictures", "Success", *medians, *transfer]


def blocks_of(spreads: dict[Group, Spread], colours: dict[str, int]) -> list[Block]:
    """The lines of the table by criterion, in the order of the methods."""
    criteria = sorted(dict.fromkeys(held for _, _, held in spreads), key=lambda held: not held)
    names = [name for name in MEDIANS if any(name in s.values for s in spreads.values())]
    any_transfer = any(spread.transfers for spread in spreads.values())
    blocks = []
    for criterion in criteria:
        lines = [
            Line(method, network, colours[method], _cells(spread, names, any_transfer))
            for (method, network, own), spread in spreads.items()
            if own == criterion
        ]
        blocks.append(Block(criterion or NO_CRITERION, tuple(lines)))
    return blocks


def _cells(spread: Spread, names: Sequence[str], any_transfer: bool) -> tuple[tuple[str, str], ...]:
    cells = [(f"{spread.pictures:,}", ""), rate(spread.successes, spread.counted)]
    cells += [_median(spread.values.get(name), MEDIANS[name][1]) for name in names]
    if any_transfer:
        rates = [(name, rate(agreed, asked)) for name, (asked, agreed) in spread.transfers.items()]
        first = "; ".join(f"{text} to {name}" for name, (text, _) in rates) or NOTHING
        cells.append((first, "; ".join(interval for _, (_, interval) in rates)))
    return tuple(cells)


def rate(hits: int, counted: int) -> tuple[str, str]:
    """``75 % (3 of 4)`` and Wilson's interval; a dash where nothing was counted."""
    if not counted:
        return NOTHING, ""
    low, high = wilson(hits, counted)
    return (
        f"{percent(hits / counted)} ({hits:,} of {counted:,})",
        f"{_whole(low)}\u2013{_whole(high)} %",
    )


def _median(values: array | None, text: Callable[[float], str]) -> tuple[str, str]:
    if not values:
        return NOTHING, ""
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    ends = intervals.median_interval(ordered) if len(ordered) >= FEWEST else None
    if ends is None or not all(map(math.isfinite, ends)) or ends[0] == ends[1]:
        return text(middle), ""
    return text(middle), "\u2013".join(map(text, ends))


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"
