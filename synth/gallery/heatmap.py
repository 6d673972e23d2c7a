"""Takes an archive; gives its confidence map: cells down, evaluations across, ready for a template to draw.

Neighbours of one colour are one rectangle, and all rectangles of a colour one SVG path: a hundred cells at hundreds
of moments take some 20 kB, sharp at any zoom, and the page's own style says what the colours are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from synth.gallery.archive import LEVELS, Archive, Cell
from synth.gallery.curves import SIDE, Tick, round_ticks
from synth.gallery.numerals import percent, plain
from synth.gallery.tables import ROWS, Row, Table

SHADES = 20  # of 5 % each below 99 %; what is at 99 % or more has a shade of its own
ROOMY, TIGHT, TALL = (
    (30, 20),
    (128, 11),
    900,
)  # (cells, pixels a row) for names beside the rows; a height without


@dataclass(frozen=True)
class Shade:
    """All rectangles of one colour, `level` of 0 to SHADES, as one path in a frame SIDE wide and a unit a row."""

    level: int
    path: str


@dataclass(frozen=True)
class HeatMap:
    """`row` is a row's height in pixels; `named` where names fit beside the rows; `data` is for the page's script."""

    across: str
    names: tuple[str, ...]
    shades: tuple[Shade, ...]
    x_ticks: tuple[Tick, ...]
    row: int
    named: bool
    gaps: bool  # some of it is not known, or was never filled
    alt: str
    note: str
    table: Table
    data: dict[str, Any] = field(repr=False)


def heat_map_of(archive: Archive, cards: Mapping[str, int]) -> HeatMap:
    """The map of `archive`; `cards` holds the number of the card that shows a cell, by the cell's name."""
    count = len(archive.cells)
    row = next((pixels for most, pixels in (ROOMY, TIGHT) if count <= most), max(1, TALL // count))
    first, last = archive.moments[0], archive.moments[-1]
    return HeatMap(
        across=archive.across,
        names=tuple(cell.name for cell in archive.cells),
        shades=_shades(archive),
        x_ticks=tuple(
            Tick(100 * (x - first) / (last - first), plain(x))
            for x in round_ticks(first, last, widen=False)
        ),
        row=row,
        named=count <= TIGHT[0],
        gaps=any(value is None for cell in archive.cells for value in cell.course),
        alt=_alt(archive),
        note=f"{archive.left_out:,} more cells are in result.json." if archive.left_out else "",
        table=_table(archive),
        data={
            "across": archive.across,
            "moments": archive.moments,
            "rows": [[cell.name, cards.get(cell.name), _changes(cell)] for cell in archive.cells],
        },
    )


def shade_of(confidence: float) -> int:
    """The place of `confidence` in the colour scale."""
    return SHADES if confidence >= LEVELS[-1] else min(int(confidence * SHADES), SHADES - 1)


def _shades(archive: Archive) -> tuple[Shade, ...]:
    edges = _edges(archive.moments)
    parts: dict[int, list[str]] = {}
    for down, cell in enumerate(archive.cells):
        levels = [None if value is None else shade_of(value) for value in cell.course]
        for level, places in groupby(range(len(levels)), key=levels.__getitem__):
            here = list(places)
            if level is not None:
                left, right = edges[here[0]], edges[here[-1] + 1]
                parts.setdefault(level, []).append(f"M{left:g} {down}H{right:g}v1H{left:g}z")
    return tuple(Shade(level, "".join(parts[level])) for level in sorted(parts))


def _edges(moments: tuple[float, ...]) -> list[float]:
    """Where the column of each moment begins, and the last one ends: halfway to its neighbours."""
    first, last = moments[0], moments[-1]
    halves = [(a + b) / 2 for a, b in pairwise(moments)]
    return [round(SIDE * (at - first) / (last - first), 1) for at in (first, *halves, last)]


def _changes(cell: Cell) -> list[int | None]:
    """The course in whole per cent, rounded down: column, value, column, value, wherever it changes."""
    changes: list[int | None] = []
    for column, value in enumerate(cell.course):
        here = None if value is None else math.floor(value * 100 + 1e-9)
        if not changes or changes[-1] != here:
            changes += [column, here]
    return changes


def _alt(archive: Archive) -> str:
    count = len(archive.cells)
    reached = [cell for cell in archive.cells if cell.reached(LEVELS[-1]) is not None]
    text = f"Confidence of {count:,} cells over {plain(archive.moments[-1])} {archive.across}: "
    text += f"{len(reached):,} reach {percent(LEVELS[-1])}"
    if reached:
        text += f", first {reached[0].name} at {plain(archive.when(reached[0], LEVELS[-1]))}"
    return text + ". The table below says the same."


def _table(archive: Archive) -> Table:
    headings = ("Cell", "Last confidence", *(f"{level * 100:.0f} % at" for level in LEVELS))
    rows = tuple(
        Row(
            cell.name,
            "",
            (percent(cell.final), *(plain(archive.when(cell, level)) for level in LEVELS)),
        )
        for cell in archive.cells[:ROWS]
    )
    return Table(
        f"Cells, with the {archive.across} at which each was reached", headings, rows, (True,) * 4
    )
