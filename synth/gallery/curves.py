"""Curves of ``steps.jsonl`` as SVG paths with round axis ticks, ready for a template.

Paths lie in a square of 1000 by 1000 that the page stretches to the available width. Ticks and
names are HTML beside it, so that text keeps its size on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from synth.gallery.folder import Record, Run
from synth.gallery.numerals import number, passes, plain, words
from synth.record.result import Json

POINTS = 400  # more than a screen shows on a curve of this width
ITEM_POINTS = 80  # of one picture in the enlarged view
ITEMS = 256  # with more pictures than these, curves of each would make pages too large
TERMS = 12
SIDE = 1000
Point = tuple[float, float]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: for the legend.
        colour: index in the palette.
        thin: drawn dashed and without an entry of its own in the legend.
        points: (x, y) in the units of the data.
        path: the points as an SVG path.
    """

    name: str
    colour: int
    thin: bool
    points: tuple[Point, ...]
    path: str = ""

    @property
    def last(self) -> str:
        """The last value, as text."""
        return plain(self.points[-1][1], 3)


@dataclass(frozen=True)
class Tick:
    """A tick of an axis.

    Attributes:
        at: position in per cent of the axis.
        text: the label.
        below: the label of a second axis at the same position.
    """

    at: float
    text: str
    below: str = ""


@dataclass(frozen=True)
class Chart:
    """Curves in one frame.

    Attributes:
        title: heading.
        across: name of the x axis.
        across_below: name of a second x axis; empty where there is none.
        lines: the curves.
        x_ticks: ticks of the x axis.
        y_ticks: ticks of the y axis.
        share: whether the y axis covers 0 to 100 %.
        note: remark beside the legend.
    """

    title: str
    across: str
    across_below: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    share: bool
    note: str = ""

    @property
    def description(self) -> str:
        """The chart in words: the last value of each curve."""
        ends = ", ".join(f"{line.name} ends at {line.last}" for line in self.lines)
        return f"{self.title}: {ends}"

    @property
    def legend(self) -> tuple[Line, ...]:
        """The lines that need a name; a thin one shares the colour of the line it belongs to."""
        return tuple(line for line in self.lines if not line.thin) or self.lines


def charts_of(run: Run) -> list[Chart]:
    """The progress of a run: of one search by step, of a comparison by passes and by seconds."""
    if run.contenders:
        return _comparison(run)
    steps = run.steps
    lines = [
        Line("best", 0, False, _points(steps, "step", "best")),
        Line("mean", 1, False, _points(steps, "step", "mean")),
    ]
    is_confidence = _is_confidence(run, lines)
    if lines[0].points == lines[1].points:  # a single item is its own mean
        name = "confidence" if is_confidence else "monitored value"
        lines = [Line(name, 0, False, lines[0].points)]
    by_step = [(number(step.get("step")), passes(step)) for step in steps]
    second = [(step, count) for step, count in by_step if step is not None and count is not None]
    title = "Confidence" if is_confidence else "Monitored value"
    chart = framed(title, "step", lines, second, is_confidence)
    return [chart] if chart else []


def term_charts(run: Run) -> list[Chart]:
    """One small chart for each term of the objective."""
    if run.contenders:
        return []
    terms = [(step.get("step"), step.get("terms")) for step in run.steps]
    rows = [(step, values) for step, values in terms if isinstance(values, dict)]
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    charts = []
    for name in names[:TERMS]:
        steps = [{"step": step, "term": values.get(name)} for step, values in rows]
        lines = [Line(name, 1, False, _points(steps, "step", "term"))]
        charts.append(framed(name, "step", lines, shares=_is_confidence(run, lines)))
    return [chart for chart in charts if chart]


def _is_confidence(run: Run, lines: Sequence[Line]) -> bool:
    """Whether values can be probabilities: all in [0, 1], in a run whose items have a confidence.

    The range alone does not tell: energies may lie in [0, 1] too.
    """
    measured = any(item.confidence is not None for item in run.items)
    return measured and all(0 <= y <= 1 for line in lines for _, y in line.points)


def item_curves(run: Run) -> list[list[float]]:
    """The monitored value of each item by step, thinned; empty where the steps do not have it."""
    if len(run.items) > ITEMS:
        return []
    counts: dict[str, int] = {}
    curves = []
    for item in run.items:
        contender = item.contender if run.contenders else ""
        place = counts[contender] = counts.get(contender, -1) + 1
        values = [
            _item_value(step, place)
            for step in run.steps
            if not run.contenders or words(step.get("contender")) == contender
        ]
        finite = [value for value in values if value is not None]
        curves.append([float(f"{value:.4g}") for value in thinned(finite, ITEM_POINTS)])
    return curves


def _item_value(step: Record, place: int) -> float | None:
    values = step.get("items")
    return number(values[place]) if isinstance(values, list) and place < len(values) else None


def _comparison(run: Run) -> list[Chart]:
    by_passes: list[Line] = []
    by_seconds: list[Line] = []
    for colour, (name, row) in enumerate(run.contenders.items()):
        count = sum(item.contender == words(name) for item in run.items)
        items = number(row.get("items")) or count or 1
        steps = [
            {**step, "passes": spent / items if (spent := passes(step)) is not None else None}
            for step in run.steps
            if words(step.get("contender")) == words(name)
        ]
        for key, thin in (("mean", False), ("best", True)):
            label = name if key == "mean" else f"{name}, best"
            by_passes.append(Line(label, colour, thin, _points(steps, "passes", key)))
            by_seconds.append(Line(label, colour, thin, _points(steps, "seconds", key)))
    charts = (
        framed("By network passes", "passes per item", by_passes),
        framed("By time", "seconds", by_seconds),
    )
    return [replace(chart, note="solid: mean, dashed: best") for chart in charts if chart]


def _points(steps: Sequence[Mapping[str, Json]], across: str, up: str) -> tuple[Point, ...]:
    pairs = ((number(step.get(across)), number(step.get(up))) for step in steps)
    return tuple(thinned([(x, y) for x, y in pairs if x is not None and y is not None], POINTS))


def thinned(values: list[Value], most: int) -> list[Value]:
    """At most `most` of the values, evenly spaced, with the first and the last."""
    if len(values) <= most:
        return values
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def framed(
    title: str,
    across: str,
    lines: Sequence[Line],
    second: Sequence[Point] = (),
    shares: bool = True,
) -> Chart | None:
    """The lines in one frame with ticks.

    Args:
        title: heading of the chart.
        across: name of the x axis.
        lines: the curves; those with fewer than two points are left out.
        second: pairs of x and the network passes at x, the labels of a second x axis.
        shares: whether values that all lie in [0, 1] are fractions, drawn on an axis of 0 to 100 %.

    Returns:
        The chart; None where no line is left.
    """
    lines = [line for line in lines if len(line.points) > 1]
    if not lines:
        return None
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    share = shares and min(ys) >= 0 and max(ys) <= 1
    x_low, x_high = min(xs), max(xs)
    ups = [0.0, 0.25, 0.5, 0.75, 1.0] if share else round_ticks(min(ys), max(ys), widen=True)
    y_low, y_high = ups[0], ups[-1]

    def place(x: float, y: float) -> Point:
        return (x - x_low) / ((x_high - x_low) or 1), (y - y_low) / ((y_high - y_low) or 1)

    def path(points: Sequence[Point]) -> str:
        places = (place(x, y) for x, y in points)
        return "M" + "L".join(f"{right * SIDE:.1f},{(1 - up) * SIDE:.1f}" for right, up in places)

    rights = round_ticks(x_low, x_high, widen=False)
    return Chart(
        title,
        across,
        "passes" if second else "",
        tuple(replace(line, path=path(line.points)) for line in lines),
        tuple(Tick(100 * place(x, 0.0)[0], plain(x), _nearest(second, x)) for x in rights),
        tuple(Tick(100 * place(0.0, y)[1], f"{y * 100:.0f} %" if share else plain(y)) for y in ups),
        share,
    )


def round_ticks(low: float, high: float, widen: bool) -> list[float]:
    """Three to six round numbers in [low, high]; with `widen` the outer two enclose it."""
    if high <= low:
        return [low - 1, low, low + 1] if widen else [low]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    if widen:
        first = math.floor(low / step)
        last = math.ceil(high / step)
    else:
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def _nearest(pairs: Sequence[Point], x: float) -> str:
    return plain(min(pairs, key=lambda pair: abs(pair[0] - x))[1]) if pairs else ""
