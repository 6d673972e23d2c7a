"""The confidence map of an archive: cells down, evaluations across, as SVG paths for a template.

Neighbours of one colour are one rectangle, and all rectangles of a colour one path: a hundred cells
at hundreds of moments take some 20 kB, sharp at any zoom, and the style sheet sets the colours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from synth.gallery.archive import LEVELS, Archive, Cell
from synth.gallery.curves import SIDE, Tick, round_ticks
from synth.gallery.numerals import percent, plain
from synth.gallery.tables import ROWS, Row, Table
from synth.record.result import Json

SHADES = 20  # of 5 % each below 99 %; 99 % and above has a shade of its own
# (at most this many cells, pixels a row) for maps with names beside the rows
ROOMY = (30, 20)
TIGHT = (128, 11)
TALL = 900  # pixels, height of a map without names


@dataclass(frozen=True)
class Shade:
    """All rectangles of one colour.

    Attributes:
        level: index in the colour scale, 0 to SHADES.
        path: SVG path in a frame of width SIDE and one unit a row.
    """

    level: int
    path: str


@dataclass(frozen=True)
class HeatMap:
    """A confidence map for a template.

    Attributes:
        across: what the x axis counts.
        names: of the cells, from the top.
        shades: the rectangles.
        x_ticks: ticks of the x axis.
        row: height of a row in pixels.
        named: whether names fit beside the rows.
        gaps: whether some of it is unknown or was never filled.
        alt: description in words.
        note: what is left out.
        table: the same as a table.
        rows: name, number of the card (None without one) and changes of each cell.
        moments: the numbers along the x axis.
    """

    across: str
    names: tuple[str, ...]
    shades: tuple[Shade, ...]
    x_ticks: tuple[Tick, ...]
    row: int
    named: bool
    gaps: bool
    alt: str
    note: str
    table: Table
    rows: list[tuple[str, int | None, list[int | None]]] = field(repr=False)
    moments: tuple[float, ...] = field(repr=False)

    @property
    def data(self) -> dict[str, Json]:
        """What the page's script reads."""
        return {"across": self.across, "moments": self.moments, "rows": self.rows}


def heat_map_of(archive: Archive, cards: Mapping[str, int]) -> HeatMap:
    """The map of `archive`; `cards` has the number of the card of a cell, by the cell's name."""
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
        gaps=any(value is None for cell in archive.cells for value in cell.history),
        alt=_alt(archive),
        note=f"{archive.left_out:,} more cells are in result.json." if archive.left_out else "",
        table=_table(archive),
        rows=[(cell.name, cards.get(cell.name), _changes(cell)) for cell in archive.cells],
        moments=archive.moments,
    )


def shade_of(confidence: float) -> int:
    """The index of `confidence` in the colour scale."""
    return SHADES if confidence >= LEVELS[-1] else min(int(confidence * SHADES), SHADES - 1)


def _shades(archive: Archive) -> tuple[Shade, ...]:
    edges = _edges(archive.moments)
    parts: dict[int, list[str]] = {}
    for down, cell in enumerate(archive.cells):
        levels = [None if value is None else shade_of(value) for value in cell.history]
        for level, places in groupby(range(len(levels)), key=levels.__getitem__):
            columns = list(places)
            if level is not None:
                left, right = edges[columns[0]], edges[columns[-1] + 1]
                parts.setdefault(level, []).append(f"M{left:g} {down}H{right:g}v1H{left:g}z")
    return tuple(Shade(level, "".join(parts[level])) for level in sorted(parts))


def _edges(moments: tuple[float, ...]) -> list[float]:
    """The edges of the columns, halfway between moments: one more than there are moments."""
    first, last = moments[0], moments[-1]
    halves = [(a + b) / 2 for a, b in pairwise(moments)]
    return [round(SIDE * (edge - first) / (last - first), 1) for edge in (first, *halves, last)]


def _changes(cell: Cell) -> list[int | None]:
    """The history in whole per cent, rounded down: column, value, column, value, at each change."""
    changes: list[int | None] = []
    for column, value in enumerate(cell.history):
        whole = None if value is None else math.floor(value * 100 + 1e-9)
        if not changes or changes[-1] != whole:
            changes += [column, whole]
    return changes


def _alt(archive: Archive) -> str:
    count = len(archive.cells)
    reached = [cell for cell in archive.cells if cell.reached(LEVELS[-1]) is not None]
    text = f"Confidence of {count:,} cells over {plain(archive.moments[-1])} {archive.across}: "
    text += f"{len(reached):,} reach {percent(LEVELS[-1])}"
    if reached:
        text += f", first {reached[0].name} at {plain(archive.when(reached[0], LEVELS[-1]))}"
    return text + ". The table below has the same numbers."


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
        f"Cells, with the {archive.across} at which each level was reached",
        headings,
        rows,
        (True,) * 4,
    )
