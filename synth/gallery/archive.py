"""Takes the archive of a run, however damaged; gives the confidence of every cell at every moment, cell by cell.

An archive keeps one elite a cell, as in Mouret & Clune 2015; here a cell is a class, or any other niche. What is
missing, of a wrong type or outside [0, 1] is not known, and rows may end early; nothing in it is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from synth.gallery.curves import Chart, Line, framed, thinned
from synth.gallery.folder import Run
from synth.gallery.numerals import number, words

MOMENTS = 240  # columns; a map of this width shows no more
CELLS = 1000
CURVE = 40  # points of one cell in the enlarged view
LEVELS = (0.5, 0.9, 0.99)
COLOURS = (1, 2, 0)  # of the levels, as places in the palette
SLACK = 1e-3  # a softmax summed in float32 may end a little above 1


@dataclass(frozen=True)
class Cell:
    """A place of the archive; `course` is its confidence at each moment in [0, 1], None where it is not known."""

    name: str
    course: tuple[float | None, ...]

    @property
    def final(self) -> float | None:
        """The last confidence that is known."""
        return next((value for value in reversed(self.course) if value is not None), None)

    def reached(self, level: float) -> int | None:
        """The place of the first moment at `level` or more."""
        return next(
            (at for at, value in enumerate(self.course) if value is not None and value >= level),
            None,
        )


@dataclass(frozen=True)
class Archive:
    """`cells` in the order in which they reached 0.99, then by their last confidence; `moments` grow, two or more.

    `across` says what the moments are counted in. `left_out` cells are more than a page shows.
    """

    across: str
    moments: tuple[float, ...]
    cells: tuple[Cell, ...]
    left_out: int = 0

    def when(self, cell: Cell, level: float) -> float | None:
        """The moment at which `cell` reached `level`."""
        place = cell.reached(level)
        return None if place is None else self.moments[place]


def archive_of(run: Run) -> Archive | None:
    """The archive of `run`; None where it has none, or fewer than two moments of it."""
    told = run.mapping("archive")
    rows = [row if isinstance(row, list) else [] for row in _list(told.get("confidence"))]
    names = [words(name) for name in _list(told.get("names"))]
    across, moments = _moments(told, rows)
    if len(moments) < 2 or not any(rows):
        return None
    cells = [
        Cell(
            (names[place] if place < len(names) else "") or f"cell {place + 1}",
            tuple(
                _share(rows[place], column) if place < len(rows) else None for column, _ in moments
            ),
        )
        for place in range(max(len(rows), len(names)))
    ]
    cells.sort(key=_rank)
    return Archive(
        across, tuple(at for _, at in moments), tuple(cells[:CELLS]), max(0, len(cells) - CELLS)
    )


def coverage_of(archive: Archive) -> Chart | None:
    """The share of cells at each level or above, moment by moment, and the mean over the cells that are filled."""
    columns = list(zip(*(cell.course for cell in archive.cells), strict=True))
    known = [[value for value in column if value is not None] for column in columns]
    count = len(archive.cells)
    lines = []
    for level, colour in zip(LEVELS, COLOURS, strict=True):
        held = [sum(value >= level for value in column) for column in known]
        points = tuple((at, here / count) for at, here in zip(archive.moments, held, strict=True))
        lines.append(
            Line(f"{level * 100:.0f} % or more: {held[-1]:,} of {count:,}", colour, False, points)
        )
    means = tuple(
        (at, fmean(column)) for at, column in zip(archive.moments, known, strict=True) if column
    )
    lines.append(Line("mean confidence", 7, False, means))
    return framed("Cells at a confidence of", archive.across, lines)


def course_of(archive: Archive, name: str, points: int = CURVE) -> list[float]:
    """The known confidence of the cell `name` at evenly spaced moments; empty where there is no such cell."""
    course = next((cell.course for cell in archive.cells if cell.name == name), ())
    first, span = archive.moments[0], archive.moments[-1] - archive.moments[0]
    values, place = [], 0
    for point in range(points if course else 0):
        while place + 1 < len(course) and archive.moments[place + 1] <= first + span * point / (
            points - 1
        ):
            place += 1
        values.append(course[place])
    return [round(value, 3) for value in values if value is not None]


def _moments(
    told: dict[str, Any], rows: Sequence[list[Any]]
) -> tuple[str, list[tuple[int, float]]]:
    """What is counted, and the (column, moment) pairs that can be shown: those that are numbers, and grow."""
    for key, across in (("evaluations", "evaluations"), ("steps", "step")):
        kept: list[tuple[int, float]] = []
        for column, value in enumerate(_list(told.get(key))):
            at = number(value)
            if at is not None and (not kept or at > kept[-1][1]):
                kept.append((column, at))
        if len(kept) > 1:
            return across, thinned(kept, MOMENTS)
    widest = max(map(len, rows), default=0)
    return "moment", thinned([(column, float(column)) for column in range(widest)], MOMENTS)


def _share(row: list[Any], column: int) -> float | None:
    value = number(row[column]) if column < len(row) else None
    return None if value is None or not -SLACK <= value <= 1 + SLACK else min(max(value, 0.0), 1.0)


def _rank(cell: Cell) -> tuple[float, ...]:
    final = -1.0 if cell.final is None else cell.final
    firsts = [cell.reached(level) for level in reversed(LEVELS)]
    if firsts[0] is None:
        return (float("inf"), -final)
    return (*(float(first or 0) for first in firsts), -final)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
