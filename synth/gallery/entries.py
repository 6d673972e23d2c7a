"""What a page over many runs keeps of each: its items as rows, compressed, and nothing else.

A run is read once. Its rows hold what the page and the tables ``runs.csv`` and ``runs.parquet``
show; the run itself is then let go, so that thousands of runs need little memory.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from synth.errors import printable
from synth.gallery.cards import Card, cards_of
from synth.gallery.colophon import parts_of
from synth.gallery.curves import Point, thinned
from synth.gallery.folder import Item, Run
from synth.gallery.inline import inline_json, link
from synth.gallery.more import command_of, words_of
from synth.gallery.numerals import anything, boolean, number, passes, words
from synth.gallery.pictures import Picture
from synth.gallery.thumbnails import FIGURE_SIDE, data_url, thumbnail_of
from synth.record.result import Json

# Words of a command that are no setting of the method: what it is tried on, and where it runs.
PLACES = {"recipe", "target", "seed", "image", "images", "content", "style", "network"}
PLACES |= {"sweep", "folder", "device", "fold", "log", "exact", "resume", "progress"}
TRANSFER = "transfer_to_"  # before the name of a network, in an item of a duel
CURVE_POINTS = 60
MOST_FIGURES = 12  # of a run
FILMS = (".webp", ".gif")
Row = dict[str, Json]
Method = tuple[str, str, str]  # name, search and encoding


@dataclass(frozen=True)
class Curve:
    """The monitored value of a method over the passes an item, in a run.

    Attributes:
        method: as in the rows.
        is_confidence: whether the values are probabilities.
        points: passes and values.
    """

    method: Method
    is_confidence: bool
    points: tuple[Point, ...]


@dataclass(frozen=True)
class FigureLink:
    """A figure of a run: its URL, size, caption, and whether it is a film."""

    url: str
    width: int
    height: int
    caption: str
    is_film: bool


@dataclass(frozen=True)
class Entry:
    """A run, as a page over many shows it.

    Attributes:
        folder: of the run.
        recipe: its name.
        network: that it read.
        methods: names of the searches on encodings.
        own_methods: its methods.
        status: ``done`` or ``interrupted``.
        seconds: that it took.
        command: that repeats it.
        settings: words of the command that set the method up.
        page: URL of its own page; empty where there is none.
        url: of its folder.
        findings: its numbers as a text.
        figures: its figures and films.
        curves: of its methods.
        problems: of its pictures, a line each.
        colophon: versions and hardware.
        pictures: how many items have a picture.
    """

    folder: Path
    recipe: str
    network: str
    methods: tuple[str, ...]
    own_methods: tuple[Method, ...]
    status: str
    seconds: float | None
    command: str
    settings: tuple[str, ...]
    page: str
    url: str
    findings: str
    figures: tuple[FigureLink, ...]
    curves: tuple[Curve, ...]
    problems: tuple[str, ...]
    colophon: tuple[str, ...]
    pictures: int
    _rows: bytes = field(repr=False)
    _details: bytes = field(repr=False)
    _inlined: bytes = field(repr=False)

    def rows(self) -> list[Row]:
        """The items, a dictionary each, in their order."""
        rows: list[Row] = json.loads(zlib.decompress(self._rows))
        return rows

    def details(self) -> str:
        """What the enlarged view shows of each item, as JSON that a page may hold."""
        return zlib.decompress(self._details).decode("utf-8", "replace")

    def inlined(self) -> str:
        """The pictures as data URLs, a line each; empty where the page refers to files."""
        return self._inlined.decode()


def read_entry(folder: Path, page: Path, inline: bool = False) -> Entry:
    """Reads a run for the page that will stand at `page`.

    Args:
        folder: of a finished run.
        page: the HTML file.
        inline: whether the page holds the pictures itself.

    Raises:
        InputError: it cannot be read.
    """
    run = Run(folder)
    cards = cards_of([run], page)
    thumbnails = page.with_name(f"{page.stem}_thumbnails")
    pictures = ""
    if inline:
        pictures = "\n".join(
            data_url(card.item.picture) if card.picture.url and card.item.picture else ""
            for card in cards
        )
    rows = [_row(run, card, page, None if inline else thumbnails) for card in cards]
    own = folder / "index.html"
    return Entry(
        folder=folder,
        recipe=run.recipe,
        network=run.network,
        methods=tuple(dict.fromkeys(filter(None, (_search(card.item) for card in cards)))),
        own_methods=tuple(dict.fromkeys(method_of(run, card.item) for card in cards)),
        status=run.text("status"),
        seconds=run.seconds,
        command=command_of(run),
        settings=_settings(run),
        page=link(own, page) if own.is_file() and not inline else "",
        url=link(folder, page),
        findings=_findings(run),
        figures=tuple(_figures(run, page, inline)),
        curves=tuple(_curves(run)),
        problems=tuple(f"{picture.path}: {picture.problem}" for picture in run.missing),
        colophon=tuple(parts_of(run)),
        pictures=sum(1 for card in cards if card.picture.url),
        _rows=_packed(json.dumps(rows)),
        _details=_packed(inline_json([_details(card, inline) for card in cards])),
        _inlined=pictures.encode(),
    )


def method_of_row(row: Row) -> Method:
    """The method of a row, which has passed through JSON."""
    name, search, encoding = row["method"]
    return name, search, encoding


def method_of(run: Run, item: Item) -> Method:
    """Name, search and encoding: the contender of a comparison, else the recipe."""
    name = item.contender.removesuffix(f"-{anything(item.record.get('seed'))}")
    return name or run.recipe, item.search, item.encoding


def _row(run: Run, card: Card, page: Path, thumbnails: Path | None) -> Row:
    """An item as the page and the tables show it."""
    item, record, picture = card.item, card.item.record, card.item.picture
    to, succeeded, confidence = _transfer(run, record)
    is_shown = bool(card.picture.url) and picture is not None
    small = ""
    if is_shown and thumbnails is not None:
        copy = thumbnail_of(picture, thumbnails)
        small = link(copy, page) if copy != picture.path else ""
    return {
        "method": method_of(run, item),
        "network": words(record.get("network")) or run.network,
        "target": card.target,
        "niche": card.niche,
        "seed": words(record.get("seed")),
        "criterion": card.criterion,
        "success": item.success,
        "already": item.already,
        "confidence": item.confidence,
        "score": item.score,
        "predicted": item.predicted,
        "passes": item.passes,
        "passes_to_success": number(record.get("passes_to_success")),
        "seconds": item.seconds,
        "natural_distance": number(record.get("natural_distance")),
        "linf": number(record.get("linf")),
        "l2": number(record.get("l2")),
        "transfer_network": to,
        "transfer_success": succeeded,
        "transfer_confidence": confidence,
        "file": _inside(run.folder, picture) if is_shown else "",
        "small": small,
        "width": card.picture.width,
        "height": card.picture.height,
        "problem": card.picture.problem,
    }


def _transfer(run: Run, record: Row) -> tuple[str, bool | None, float | None]:
    """The network that was asked too, whether it met the target, and its confidence.

    In a duel several may have been asked; all of them have to meet it.
    """
    several = {
        key.removeprefix(TRANSFER): value
        for key, value in record.items()
        if key.startswith(TRANSFER) and isinstance(value, bool)
    }
    if several:
        return ", ".join(map(printable, several)), all(several.values()), None
    success = boolean(record.get("transfer_success"))
    confidence = number(record.get("transfer_confidence"))
    if success is None and confidence is None:
        return "", None, None
    return words(run.mapping("transfer").get("name")) or "another network", success, confidence


def _details(card: Card, inline: bool) -> Row:
    """What the enlarged view shows; files beside the page only where it is not to stand alone."""
    values: Row = {"lines": card.details}
    if inline:
        return values
    if card.large:
        values["large"] = card.large
    if card.original:
        values["original"] = card.original
    if card.difference:
        values["difference"] = card.difference
    if card.lineage:
        values["lineage"] = card.lineage.to_dict()
    return values


def _inside(folder: Path, picture: Picture) -> str:
    """The URL of a picture relative to its run."""
    return quote(os.fsencode(picture.path.relative_to(folder).as_posix()))


def _search(item: Item) -> str:
    return " on ".join(filter(None, (item.search, item.encoding)))


def _settings(run: Run) -> tuple[str, ...]:
    """The words of a run's command that set its method up."""
    words = (word for word in words_of(run) if word.lstrip("+~").partition("=")[0] not in PLACES)
    return tuple(map(printable, words))


def _findings(run: Run) -> str:
    """The numbers of a run that have no column of their own."""
    shown = {"items", "success", "counted", "forwards", "backwards", "already"}
    shown |= {"mean_confidence", "median_confidence"} if run.items else set()
    parts = [
        f"{name.replace('_', ' ')} {anything(value)}"
        for name, value in run.mapping("findings").items()
        if name not in shown and number(value) is not None
    ]
    return " · ".join(map(printable, parts[:6]))


def _figures(run: Run, page: Path, inline: bool) -> Iterator[FigureLink]:
    for figure in run.figures[:MOST_FIGURES]:
        picture = figure.picture
        if not picture.problem:
            is_film = picture.path.suffix.lower() in FILMS
            url = data_url(picture, FIGURE_SIDE) if inline else link(picture.path, page)
            yield FigureLink(url, picture.width, picture.height, figure.caption, is_film)


def _curves(run: Run) -> Iterator[Curve]:
    """The mean of the monitored value by passes an item, of each method of the run."""
    methods: dict[str, list[Item]] = {}
    for item in run.items:
        methods.setdefault(item.contender, []).append(item)
    by_contender: dict[str, list[Point]] = {}
    for step in run.steps:
        spent, value = passes(step), number(step.get("mean"))
        if spent is not None and value is not None:
            by_contender.setdefault(words(step.get("contender")), []).append((spent, value))
    for contender, points in by_contender.items():
        items = methods.get(contender, [])
        if len(points) < 2 or not items:
            continue
        values = [value for _, value in points]
        probable = any(item.confidence is not None for item in items)
        each = tuple((spent / len(items), value) for spent, value in points)
        yield Curve(
            method_of(run, items[0]),
            probable and min(values) >= 0 and max(values) <= 1,
            tuple(thinned(list(each), CURVE_POINTS)),
        )


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "replace"), 3)
