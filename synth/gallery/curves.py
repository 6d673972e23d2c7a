"""Takes the lines of steps.jsonl; gives curves as SVG paths with round ticks, ready for a template to draw.

Paths live in a square of 1000 by 1000 that the page stretches to the room there is; ticks and names are HTML
beside it, so that text keeps its size on a telephone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from synth.gallery.folder import Run
from synth.gallery.numerals import number, passes, plain

POINTS = 400  # more than a screen shows on a curve of this width
ITEM_POINTS, ITEMS = (
    80,
    256,
)  # of one picture in the enlarged view; with more pictures pages grow too large
TERMS = 12
SIDE = 1000
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve: `name` for the legend, `colour` a place in the palette, `thin` for the lesser of two."""

    name: str
    colour: int
    thin: bool
    points: tuple[Point, ...]
    path: str = ""

    @property
    def last(self) -> str:
        return plain(self.points[-1][1], 3)


@dataclass(frozen=True)
class Tick:
    """`at` is per cent of the axis; `below` is what a second axis says at the same place."""

    at: float
    text: str
    below: str = ""


@dataclass(frozen=True)
class Chart:
    """Curves in one frame. `share` means that the upright axis runs over all of 0 to 100 %."""

    title: str
    across: str
    across_below: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    share: bool
    note: str = ""

    @property
    def legend(self) -> tuple[Line, ...]:
        """The lines that need a name; thin ones share the colour of the line they belong to."""
        return tuple(line for line in self.lines if not line.thin) or self.lines


def charts_of(run: Run) -> list[Chart]:
    """The course of a run: for one search by step, for a comparison by passes an item and by seconds."""
    if run.contenders:
        return _comparison(run)
    steps = run.steps
    lines = [
        Line("best", 0, False, _points(steps, "step", "best")),
        Line("mean", 1, False, _points(steps, "step", "mean")),
    ]
    sure = _is_confidence(run, lines)
    if lines[0].points == lines[1].points:  # a single item is its own mean
        lines = [Line("confidence" if sure else "watched", 0, False, lines[0].points)]
    by_step = [(number(step.get("step")), passes(step)) for step in steps]
    second = [(step, done) for step, done in by_step if step is not None and done is not None]
    chart = framed("Confidence" if sure else "Watched number", "step", lines, second, sure)
    return [chart] if chart else []


def term_charts(run: Run) -> list[Chart]:
    """One small chart for each term of the objective."""
    if run.contenders:
        return []
    told = [step for step in run.steps if isinstance(step.get("terms"), dict)]
    names = list(dict.fromkeys(name for step in told for name in step["terms"]))
    charts = []
    for name in names[:TERMS]:
        steps = [{"step": step.get("step"), "term": step["terms"].get(name)} for step in told]
        lines = [Line(name, 1, False, _points(steps, "step", "term"))]
        charts.append(framed(name, "step", lines, shares=_is_confidence(run, lines)))
    return [chart for chart in charts if chart]


def _is_confidence(run: Run, lines: Sequence[Line]) -> bool:
    """Whether numbers can be probabilities: of a run whose items have them, between 0 and 1; energies lie there too."""
    told = any(number(item.record.get("confidence")) is not None for item in run.items)
    return told and all(0 <= y <= 1 for line in lines for _, y in line.points)


def item_curves(run: Run) -> list[list[float]]:
    """The watched number of each item, step by step, thinned; empty where the steps do not tell."""
    if len(run.items) > ITEMS:
        return []
    seen: dict[str, int] = {}
    curves = []
    for item in run.items:
        contender = item.record.get("contender") if run.contenders else None
        place = seen[str(contender)] = seen.get(str(contender), -1) + 1
        values = [
            value
            for step in run.steps
            if step.get("contender") == contender or not run.contenders
            for parts in [step.get("items")]
            if isinstance(parts, list) and place < len(parts)
            for value in [number(parts[place])]
            if value is not None
        ]
        curves.append([float(f"{value:.4g}") for value in thinned(values, ITEM_POINTS)])
    return curves


def _comparison(run: Run) -> list[Chart]:
    by_passes: list[Line] = []
    by_seconds: list[Line] = []
    for colour, (name, row) in enumerate(run.contenders.items()):
        held = sum(item.record.get("contender") == name for item in run.items)
        items = number(row.get("items")) or held or 1
        steps = [
            {**step, "passes": done / items if (done := passes(step)) is not None else None}
            for step in run.steps
            if step.get("contender") == name
        ]
        for key, thin in (("mean", False), ("best", True)):
            label = name if key == "mean" else f"{name}, best"
            by_passes.append(Line(label, colour, thin, _points(steps, "passes", key)))
            by_seconds.append(Line(label, colour, thin, _points(steps, "seconds", key)))
    charts = (
        framed("By network passes", "passes an item", by_passes),
        framed("By time", "seconds", by_seconds),
    )
    return [replace(chart, note="mean; dashed, the best") for chart in charts if chart]


def _points(steps: Sequence[dict[str, Any]], across: str, up: str) -> tuple[Point, ...]:
    pairs = ((number(step.get(across)), number(step.get(up))) for step in steps)
    return tuple(thinned([(x, y) for x, y in pairs if x is not None and y is not None], POINTS))


def thinned(values: list[Any], most: int) -> list[Any]:
    """At most `most` of the values, evenly apart, the first and the last among them."""
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
    """The lines in one frame; `second` pairs the axis with what stands below it. None without a line.

    Numbers between 0 and 1 are shown as percentages, of all of 0 to 100 %, unless `shares` says that they are none.
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
    """Three to six round numbers inside [low, high]; with `widen` the outer two enclose it."""
    if high <= low:
        return [low - 1, low, low + 1] if widen else [low]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = (
        (math.floor(low / step), math.ceil(high / step))
        if widen
        else (
            math.ceil(low / step - 1e-9),
            math.floor(high / step + 1e-9),
        )
    )
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def _nearest(pairs: Sequence[tuple[float, float]], x: float) -> str:
    return plain(min(pairs, key=lambda pair: abs(pair[0] - x))[1]) if pairs else ""
