"""The archive of a MAP-Elites run: the confidence of the elite of every cell over the evaluations.

An archive keeps one elite per cell (Mouret & Clune 2015). A cell is a class, or a niche of
behaviour descriptors. The record may be damaged: a value that is missing, of another type or
outside [0, 1] is unknown, and rows may end early; none of it is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from synth.gallery.curves import Chart, Line, framed, thinned
from synth.gallery.folder import Record, Run
from synth.gallery.numerals import number, words
from synth.record.result import Json

MOMENTS = 240  # columns; a map of this width shows no more
CELLS = 1000
CURVE = 40  # points of one cell in the enlarged view
LEVELS = (0.5, 0.9, 0.99)
COLOURS = (1, 2, 0)  # of the levels, as indices in the palette
MEAN_COLOUR = 7
SLACK = 1e-3  # a softmax summed in float32 may end a little above 1


@dataclass(frozen=True)
class Cell:
    """A cell of the archive.

    Attributes:
        name: class or niche.
        history: confidence of the elite at each moment, in [0, 1]; None where it is unknown.
    """

    name: str
    history: tuple[float | None, ...]

    @property
    def final(self) -> float | None:
        """The last known confidence."""
        return next((value for value in reversed(self.history) if value is not None), None)

    def reached(self, level: float) -> int | None:
        """The index of the first moment with a confidence of at least `level`."""
        return next(
            (
                place
                for place, value in enumerate(self.history)
                if value is not None and value >= level
            ),
            None,
        )


@dataclass(frozen=True)
class Archive:
    """All cells of an archive.

    Attributes:
        across: what the moments count: ``evaluations``, ``step`` or ``record``.
        moments: two or more increasing numbers.
        cells: in the order in which they reached 0.99, then by their last confidence.
        left_out: number of cells beyond those that a page shows.
    """

    across: str
    moments: tuple[float, ...]
    cells: tuple[Cell, ...]
    left_out: int = 0

    def when(self, cell: Cell, level: float) -> float | None:
        """The moment at which `cell` reached `level`."""
        place = cell.reached(level)
        return None if place is None else self.moments[place]


def read_archive(run: Run) -> Archive | None:
    """The archive of `run`; None where it has none, or fewer than two moments of it."""
    record = run.mapping("archive")
    rows = [_list(row) for row in _list(record.get("confidence"))]
    names = [words(name) for name in _list(record.get("names"))]
    across, moments = _moments(record, rows)
    if len(moments) < 2 or not any(rows):
        return None
    cells = [
        Cell(
            (names[place] if place < len(names) else "") or f"cell {place + 1}",
            tuple(
                _confidence(rows[place], column) if place < len(rows) else None
                for column, _ in moments
            ),
        )
        for place in range(max(len(rows), len(names)))
    ]
    cells.sort(key=_rank)
    return Archive(
        across,
        tuple(moment for _, moment in moments),
        tuple(cells[:CELLS]),
        max(0, len(cells) - CELLS),
    )


def coverage_chart(archive: Archive) -> Chart | None:
    """The share of cells at each level or above over time, and the mean over the filled cells."""
    columns = [
        [value for value in column if value is not None]
        for column in zip(*(cell.history for cell in archive.cells), strict=True)
    ]
    total = len(archive.cells)
    lines = []
    for level, colour in zip(LEVELS, COLOURS, strict=True):
        counts = [sum(value >= level for value in column) for column in columns]
        points = tuple(
            (moment, count / total) for moment, count in zip(archive.moments, counts, strict=True)
        )
        name = f"{level * 100:.0f} % or more: {counts[-1]:,} of {total:,}"
        lines.append(Line(name, colour, False, points))
    means = tuple(
        (moment, fmean(column))
        for moment, column in zip(archive.moments, columns, strict=True)
        if column
    )
    lines.append(Line("mean confidence", MEAN_COLOUR, False, means))
    return framed("Cells at a confidence of", archive.across, lines)


def confidence_curve(archive: Archive, name: str, points: int = CURVE) -> list[float]:
    """The known confidence of the cell `name` at evenly spaced moments; empty without the cell."""
    history = next((cell.history for cell in archive.cells if cell.name == name), ())
    first = archive.moments[0]
    span = archive.moments[-1] - first
    values = []
    place = 0
    for point in range(points if history else 0):
        moment = first + span * point / (points - 1)
        while place + 1 < len(history) and archive.moments[place + 1] <= moment:
            place += 1
        values.append(history[place])
    return [round(value, 3) for value in values if value is not None]


def _moments(record: Record, rows: Sequence[Sequence[Json]]) -> tuple[str, list[tuple[int, float]]]:
    """What the moments count, and the (column, moment) pairs that are increasing numbers."""
    for key, across in (("evaluations", "evaluations"), ("steps", "step")):
        pairs: list[tuple[int, float]] = []
        for column, value in enumerate(_list(record.get(key))):
            moment = number(value)
            if moment is not None and (not pairs or moment > pairs[-1][1]):
                pairs.append((column, moment))
        if len(pairs) > 1:
            return across, thinned(pairs, MOMENTS)
    widest = max(map(len, rows), default=0)
    return "record", thinned([(column, float(column)) for column in range(widest)], MOMENTS)


def _confidence(row: Sequence[Json], column: int) -> float | None:
    value = number(row[column]) if column < len(row) else None
    return None if value is None or not -SLACK <= value <= 1 + SLACK else min(max(value, 0.0), 1.0)


def _rank(cell: Cell) -> tuple[float, ...]:
    final = -1.0 if cell.final is None else cell.final
    firsts = [cell.reached(level) for level in reversed(LEVELS)]
    if firsts[0] is None:
        return (float("inf"), -final)
    return (*(float(first or 0) for first in firsts), -final)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
