"""The page over many runs: methods with intervals, curves, all pictures, any two side by side.

One HTML file with one compact block of data, a list a column. Its script keeps only those pictures
in the document that are in sight.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log10
from pathlib import Path
from statistics import median, quantiles

from markupsafe import Markup

from synth.errors import InputError, printable
from synth.gallery.colophon import colophon
from synth.gallery.criterion import UNKNOWN
from synth.gallery.curves import Chart, Line, Point, Tick, framed, thinned
from synth.gallery.entries import Entry, Method, Row, method_of_row
from synth.gallery.inline import inline_json
from synth.gallery.numerals import NOTHING, duration, plain
from synth.gallery.spreads import NO_CRITERION, Group, Spread, blocks_of, headings_of
from synth.gallery.templating import asset, environment, script_hash
from synth.record.atomic import write_atomically
from synth.record.result import Json

MOST = 200_000  # pictures on a page; a document is at most 33 million pixels high
MOST_RUNS = 500  # lines in the table of runs
MOST_SETTINGS = 24  # methods that one recipe is split into by the words of its commands
LINES = 12  # in a chart; the palette has 16 colours
POINTS = 48  # passes at which curves of several runs are read
FIGURES = 60
FEWEST = 4  # runs of a method of which quartiles are drawn
Key = tuple[Method, tuple[str, ...]]  # a method and its settings


@dataclass(frozen=True)
class Named:
    """A run under a name that no other run of the page has."""

    name: str
    entry: Entry


def write_compare_page(
    entries: Sequence[Entry], page: Path, title: str | None = None, skipped: Sequence[str] = ()
) -> Path:
    """Writes the page.

    Args:
        entries: the runs, one or more.
        page: the HTML file; folders above it are made.
        title: heading; by default the name of the page's folder.
        skipped: why other folders were left out, a line each.

    Returns:
        `page`.

    Raises:
        InputError: it cannot be written.
    """
    html = _render(entries, page, title, skipped).encode("utf-8", errors="replace")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, html, shared=True)
    except OSError as error:
        raise InputError(f"{page}: the page cannot be written ({error.strerror}).") from error
    return page


def names_of(folders: Sequence[Path]) -> list[str]:
    """A name for each run: that of its folder, with those above it as far as two agree."""
    parts = [Path(os.path.realpath(folder)).parts for folder in folders]
    depths = [1] * len(parts)
    names = ["/".join(own[-1:]) for own in parts]
    while True:
        counts = Counter(names)
        longer = [
            place
            for place, name in enumerate(names)
            if counts[name] > 1 and depths[place] < len(parts[place])
        ]
        if not longer:
            return [printable(name) for name in names]
        for place in longer:
            depths[place] += 1
            names[place] = "/".join(parts[place][-depths[place] :])


def labels_of(entries: Sequence[Entry]) -> dict[Key, str]:
    """A name for each method, with search and encoding, or settings, only where they tell apart.

    A method is a contender of a comparison, else a recipe. Words of a recipe's command belong to
    its name where they differ between runs, as in a sweep over ``search.rate``.
    """
    used: dict[Method, dict[tuple[str, ...], None]] = {}
    for entry in entries:
        for method in entry.own_methods:
            used.setdefault(method, {})[_settings(method, entry)] = None
    names = Counter(name for name, _, _ in used)
    labels = {}
    for method, settings in used.items():
        label = method[0].replace("_", " ")
        if names[method[0]] > 1:
            label = " · ".join(filter(None, (label, " on ".join(filter(None, method[1:])))))
        shared = set.intersection(*map(set, settings))
        for words in settings:
            own = [word for word in words if word not in shared]
            more = " ".join(own)
            if len(settings) > MOST_SETTINGS:
                more = f"{len(settings)} settings together"
            labels[(method, words)] = " · ".join(filter(None, (label, more)))
    return labels


def _settings(method: Method, entry: Entry) -> tuple[str, ...]:
    """The words of the command that set the method up; of contenders each has its own."""
    return entry.settings if method[0] == entry.recipe else ()


class _Columns:
    """The pictures of a page as columns, texts as places in one list.

    Attributes:
        spreads: the numbers of every method, network and criterion.
        count: how many pictures there are.
        left_out: how many more there are than a page shows.
    """

    def __init__(self) -> None:
        self.strings: dict[str, int] = {"": 0}
        self.values: dict[str, list[Json]] = {}
        self.spreads: dict[Group, Spread] = {}
        self.count = self.left_out = 0

    def add(self, run: int, place: int, method: str, row: Row) -> None:
        group = (method, str(row["network"]), str(row["criterion"]))
        self.spreads.setdefault(group, Spread()).add(row)
        if self.count >= MOST:
            self.left_out += 1
            return
        self.count += 1
        words = ("target", "niche", "seed", "network", "criterion", "predicted", "problem")
        success = row["success"]
        values: Row = {
            "run": run,
            "place": place,
            "method": self._text(method),
            **{name: self._text(str(row[name])) for name in words},
            "success": -1 if success is None else int(bool(success)),
            "confidence": _share(row["confidence"]),
            "score": _rounded(row["score"], 4) if row["confidence"] is None else None,
            "passes": _rounded(row["passes"], 0),
            "seconds": _rounded(row["seconds"], 2),
            "distance": _rounded(row["natural_distance"], 4),
            "file": row["file"],
            "small": row["small"],
            "width": row["width"],
            "height": row["height"],
        }
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def columns(self) -> dict[str, Json]:
        """A list a column, or the value itself where all pictures have the same."""
        return {
            name: values[0] if values.count(values[0]) == len(values) else values
            for name, values in self.values.items()
        }

    def _text(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))


def _rounded(value: Json, digits: int) -> Json:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def _share(value: Json) -> Json:
    """A share in five digits; in more where it would become 0 or 1, and is not."""
    rounded = _rounded(value, 5)
    return _rounded(value, 12) if rounded in (0, 1) else rounded


def _render(entries: Sequence[Entry], page: Path, title: str | None, skipped: Sequence[str]) -> str:
    names = names_of([entry.folder for entry in entries])
    labels = labels_of(entries)
    columns = _Columns()
    details: list[Markup] = []
    for place, entry in enumerate(entries):
        for number, row in enumerate(entry.rows()):
            method = method_of_row(row)
            columns.add(place, number, labels[method, _settings(method, entry)], row)
        details.append(Markup(entry.details()))
    methods = list(dict.fromkeys(method for method, _, _ in columns.spreads))
    colours = {method: place for place, method in enumerate(methods)}
    data: dict[str, Json] = {
        "count": columns.count,
        "strings": list(columns.strings),
        "methods": [columns.strings.get(method, 0) for method in methods],
        "columns": columns.columns(),
        "runs": [
            {
                "name": name,
                "recipe": entry.recipe,
                "url": entry.url,
                "page": entry.page,
                "command": printable(entry.command),  # to be pasted into a terminal
                "inlined": bool(entry.inlined()),
            }
            for name, entry in zip(names, entries, strict=True)
        ],
    }
    spreads = list(columns.spreads.values())
    figures = [
        (name, figure)
        for name, entry in zip(names, entries, strict=True)
        for figure in entry.figures
    ]
    script = asset("compare.js")
    return (
        environment()
        .get_template("compare.html")
        .render(
            title=title or _title(page),
            lede=_lede(entries, columns),
            headings=headings_of(spreads),
            blocks=blocks_of(columns.spreads, colours) if columns.count else [],
            charts=_charts(entries, labels, columns, colours),
            no_criterion=NO_CRITERION,
            count=columns.count,
            ratio=_ratio(columns),
            films=[figure for figure in figures if figure[1].is_film][:FIGURES],
            figures=[figure for figure in figures if not figure[1].is_film][:FIGURES],
            runs=[
                (name, entry, _outcome(entry), " · ".join(entry.methods[:3]))
                for name, entry in [*zip(names, entries, strict=True)][:MOST_RUNS]
            ],
            runs_left_out=max(0, len(entries) - MOST_RUNS),
            left_out=columns.left_out,
            skipped=[*skipped, *(line for entry in entries for line in entry.problems)][:MOST_RUNS],
            data=inline_json(data),
            details=details,
            pictures=[Markup(entry.inlined()) for entry in entries if entry.inlined()],
            style=asset("page.css") + asset("lineage.css") + asset("compare.css"),
            script=script,
            script_hash=script_hash(script),
            colophon=colophon(part for entry in entries for part in entry.colophon),
            time=duration,
        )
    )


def _title(page: Path) -> str:
    name = page.parent.resolve().name.replace("_", " ").strip()
    return name[:1].upper() + name[1:] or "Gallery"


def _lede(entries: Sequence[Entry], columns: _Columns) -> str:
    """How many runs and pictures there are; successes stand by criterion in the table alone."""
    pictures = sum(entry.pictures for entry in entries)
    parts = [
        _counted(len(entries), "run"),
        _counted(pictures, "picture"),
        *([_counted(empty, "empty niche")] if (empty := _empty(entries, columns)) else []),
    ]
    networks = list(dict.fromkeys(entry.network for entry in entries if entry.network))
    parts += networks if len(networks) == 1 else []
    interrupted = sum(entry.status == "interrupted" for entry in entries)
    return " · ".join([*parts, *([f"{interrupted:,} interrupted"] if interrupted else [])])


def _empty(entries: Sequence[Entry], columns: _Columns) -> int:
    problems = columns.values.get("problem", [])
    return problems.count(columns.strings.get("empty", -1))


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"


def _outcome(entry: Entry) -> str:
    """The successes of a run by criterion: ``3 of 4 class on top at 0.99``."""
    counts: dict[str, list[int]] = {}
    for row in entry.rows():
        if isinstance(row["success"], bool):
            own = counts.setdefault(str(row["criterion"]), [0, 0])
            own[0] += row["success"]
            own[1] += 1
    parts = [f"{hits:,} of {of:,} {criterion}" for criterion, (hits, of) in counts.items()]
    return "; ".join(parts) or NOTHING


def _ratio(columns: _Columns) -> float:
    """Width by height of the plates: that of all pictures where they agree in [0.5, 2], else 1."""
    sizes = zip(columns.values.get("width", []), columns.values.get("height", []), strict=True)
    ratios = {round(width / height, 2) for width, height in set(sizes) if height}
    ratio = ratios.pop() if len(ratios) == 1 else 1.0
    return ratio if 0.5 <= ratio <= 2 else 1.0


# -- charts ---------------------------------------------------------------------------------------


def _charts(
    entries: Sequence[Entry],
    labels: dict[Key, str],
    columns: _Columns,
    colours: dict[str, int],
) -> list[Chart]:
    """Success by passes, a chart a criterion and network; and confidence by passes."""
    charts = [*_successes(columns.spreads, colours)]
    curves: dict[tuple[str, str], list[tuple[Point, ...]]] = {}
    for entry in entries:
        for curve in entry.curves:
            if curve.is_confidence:
                label = labels.get((curve.method, _settings(curve.method, entry)))
                if label is not None:
                    curves.setdefault((entry.network, label), []).append(curve.points)
    for network in dict.fromkeys(network for network, _ in curves):
        own = [(label, each) for (other, label), each in curves.items() if other == network]
        lines = [line for label, each in own[:LINES] for line in _joined(label, each, colours)]
        title = f"Confidence by passes, {network}" if network else "Confidence by passes"
        note = (
            "median of the runs; dashed: their quartiles"
            if any(line.thin for line in lines)
            else "median of the runs"
        )
        charts.append(_logarithmic(title, lines, _more(note, len(own))))
    return [chart for chart in charts if chart]


def _successes(spreads: dict[Group, Spread], colours: dict[str, int]) -> Iterator[Chart | None]:
    """The share of pictures that have succeeded by a number of passes."""
    for criterion, network in dict.fromkeys((c, n) for _, n, c in spreads if c != UNKNOWN):
        own = [
            (method, spread)
            for (method, other, held), spread in spreads.items()
            if (held, other) == (criterion, network) and spread.counted
        ]
        most = max((max(spread.spent) for _, spread in own if spread.spent), default=0)
        lines = [
            Line(method, colours[method], False, _steps(spread, most))
            for method, spread in own[:LINES]
            if most > 0
        ]
        title = ", ".join(filter(None, (f"Success ({criterion}) by passes", network)))
        yield _logarithmic(title, lines, _more("share of the pictures", len(own)))


def _steps(spread: Spread, most: float) -> tuple[Point, ...]:
    """The share as a curve of steps, on to `most` passes."""
    points: list[Point] = []
    for number, passes in enumerate(thinned(sorted(spread.spent), 200), 1):
        share = number / min(len(spread.spent), 200) * len(spread.spent) / spread.counted
        points += [(passes, points[-1][1] if points else 0.0), (passes, share)]
    return (*points, (most, points[-1][1] if points else 0.0))


def _more(note: str, count: int) -> str:
    return f"{note}; {LINES} of {count} methods" if count > LINES else note


def _joined(
    label: str, curves: Sequence[tuple[Point, ...]], colours: dict[str, int]
) -> Iterator[Line]:
    """The median of a method's curves, and their quartiles where there are enough of them."""
    last = median(points[-1][0] for points in curves)
    first = max(min(points[0][0] for points in curves), 1.0)
    ratio = (max(last, first) / first) ** (1 / (POINTS - 1))
    middle: list[Point] = []
    lower: list[Point] = []
    upper: list[Point] = []
    for place in range(POINTS):
        passes = first * ratio**place
        values = [_value(points, passes) for points in curves]
        middle.append((passes, median(values)))
        if len(values) >= FEWEST:
            low, _, high = quantiles(values, n=4, method="inclusive")
            lower.append((passes, low))
            upper.append((passes, high))
    colour = colours.get(label, 0)
    yield Line(label, colour, False, tuple(middle))
    for name, points in (("lower quartile", lower), ("upper quartile", upper)):
        if points:
            yield Line(f"{label}, {name}", colour, True, tuple(points))


def _value(points: Sequence[Point], passes: float) -> float:
    """The value of a curve at a number of passes: the last one until then, or its first."""
    value = points[0][1]
    for spent, next_value in points:
        if spent > passes * 1.000001:
            break
        value = next_value
    return value


def _logarithmic(title: str, lines: Iterable[Line], note: str) -> Chart | None:
    """Lines over a logarithmic axis of passes, because methods differ a thousandfold in them."""
    moved = [
        replace(line, points=tuple((log10(max(x, 1.0)), y) for x, y in line.points))
        for line in lines
    ]
    chart = framed(title, "network passes a picture", moved)
    if chart is None:
        return None
    places = [x for line in moved if len(line.points) > 1 for x, _ in line.points]
    low, high = min(places), max(places)
    powers = [10.0**power * factor for power in range(10) for factor in (1, 2, 5)]
    inside = [value for value in powers if low - 1e-9 <= log10(value) <= high + 1e-9]
    if len(inside) > 7:
        inside = [value for value in inside if f"{value:.0f}".startswith("1")]
    span = (high - low) or 1.0
    ticks = tuple(Tick(100 * (log10(value) - low) / span, plain(value)) for value in inside)
    return replace(chart, x_ticks=ticks, note=note)
