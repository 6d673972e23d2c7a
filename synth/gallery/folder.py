"""A finished run folder as the gallery reads it: `Run` with its items, figures and steps.

The folder may be of any earlier release, or damaged: a field that is missing or of another type
reads as unknown, and a picture that cannot be shown carries the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path

from synth.errors import InputError
from synth.files import open_regular, read_text
from synth.gallery.finding import STEPS
from synth.gallery.numerals import anything, boolean, number, passes, words
from synth.gallery.old_words import current_encoding, current_text
from synth.gallery.pictures import Picture, find_picture
from synth.record.result import RESULT, Json

Record = dict[str, Json]
CAPTION = 600  # characters of one at most
CELL = frozenset(("niche", "strip", "ancestors"))  # keys of an item that is a cell of an archive


@dataclass(frozen=True)
class Item:
    """One entry of a result with its pictures. Texts are empty where the record has none.

    Attributes:
        record: the JSON object as written.
        target: name of the target class, or what else was searched for.
        niche: behaviour descriptor of the cell of an archive.
        predicted: name of the predicted class.
        contender: name of the experiment within a comparison.
        search: name of the search.
        encoding: name of the encoding.
        confidence: of the target class, in [0, 1]; other monitored values may lie outside.
        score: final value of the objective.
        success: whether the target was met.
        already: whether the clean image met the target before the search; such items do not count.
        passes: network passes, forwards + 2 * backwards.
        seconds: wall-clock time.
        empty: whether it is a cell of an archive that was never filled.
        picture: the result.
        original: the clean image, or the picture that the search started from.
        strip: the ancestors side by side.
        large: the result at a higher resolution.
        difference: result minus original, amplified.
    """

    record: Record
    target: str
    niche: str
    predicted: str
    contender: str
    search: str
    encoding: str
    confidence: float | None
    score: float | None
    success: bool | None
    already: bool
    passes: float | None
    seconds: float | None
    empty: bool
    picture: Picture | None
    original: Picture | None
    strip: Picture | None
    large: Picture | None
    difference: Picture | None


@dataclass(frozen=True)
class Figure:
    """A picture that belongs to the whole run, such as training curves, and units in it."""

    picture: Picture
    caption: str
    units: tuple[str, ...] = ()


class Run:
    """A finished run folder.

    Args:
        folder: the folder; it has a ``result.json``.
        result: the content of ``result.json``, where it is not written yet.

    Attributes:
        result: the content of ``result.json``.
        items: its entries.
        figures: the pictures of the run as a whole.
        is_archive: whether the items are the cells of an archive, of which some may be empty.

    Raises:
        InputError: where ``result.json`` cannot be read.
    """

    def __init__(self, folder: Path, result: Record | None = None) -> None:
        self.folder = folder
        self.result = _read_result(folder) if result is None else result
        records = _records(self.result, "items", folder)
        self.is_archive = bool(self.mapping("archive")) or any(
            CELL & record.keys() for record in records
        )
        self.items = tuple(self._item(record) for record in records)
        figures = [
            (
                find_picture(folder, record.get("file")),
                current_text(anything(record.get("caption") or "", CAPTION)),
                _units(record.get("units")),
            )
            for record in _records(self.result, "figures", folder)
        ]
        self.figures = tuple(Figure(*figure) for figure in figures if figure[0])

    @property
    def recipe(self) -> str:
        """Name of the recipe; of the folder where the result names none."""
        return words(self.result.get("recipe")) or self.folder.resolve().name

    @property
    def network(self) -> str:
        """Name of the network, or empty."""
        return words(self.mapping("network").get("name")) or words(self.text("network"))

    @property
    def method(self) -> tuple[str, ...]:
        """Names of the search and the encoding, those that the result has."""
        parts = (self.text("search"), current_encoding(self.text("encoding")))
        return tuple(part for part in parts if part)

    @property
    def seconds(self) -> float | None:
        """Wall-clock time of the whole run."""
        return number(self.result.get("seconds"))

    @cached_property
    def contenders(self) -> dict[str, Record]:
        """The contenders of a comparison by name; empty for any other run."""
        rows = self.mapping("contenders")
        return {name: row if isinstance(row, dict) else {} for name, row in rows.items()}

    @property
    def missing(self) -> tuple[Picture, ...]:
        """The pictures that the result names and the folder cannot show."""
        pictures = [
            picture for item in self.items for picture in (item.picture, item.strip, item.large)
        ]
        pictures += [figure.picture for figure in self.figures]
        return tuple(picture for picture in pictures if picture and picture.problem)

    @cached_property
    def steps(self) -> tuple[Record, ...]:
        """The lines of steps.jsonl; lines that a crash cut short are left out."""
        return tuple(_read_steps(self.folder / STEPS))

    def mapping(self, key: str) -> Record:
        """The object under `key` of the result, empty where there is none."""
        value = self.result.get(key)
        return value if isinstance(value, dict) else {}

    def text(self, key: str) -> str:
        """The text under `key` of the result, empty where there is none."""
        value = self.result.get(key)
        return value if isinstance(value, str) else ""

    def _item(self, record: Record) -> Item:
        """An entry; search and encoding are its own, else its contender's, else the run's."""
        contender = words(record.get("contender"))
        levels = (record, self.contenders.get(contender, {}), self.result)
        search, encoding = (
            next(filter(None, (words(level.get(key)) for level in levels)), "")
            for key in ("search", "encoding")
        )
        return Item(
            record=record,
            target=current_text(words(record.get("target"))),
            niche=words(record.get("niche")),
            predicted=words(record.get("predicted")),
            contender=contender,
            search=search or contender,
            encoding=current_encoding(encoding),
            confidence=number(record.get("confidence")),
            score=number(record.get("score")),
            success=boolean(record.get("success")),
            already=record.get("already") is True,
            passes=passes(record),
            seconds=number(record.get("seconds")),
            empty=self.is_archive and not record.get("file"),
            picture=find_picture(self.folder, record.get("file")),
            original=find_picture(self.folder, record.get("original")),
            strip=find_picture(self.folder, record.get("strip")),
            large=find_picture(self.folder, record.get("large")),
            difference=find_picture(self.folder, record.get("difference")),
        )


def _read_result(folder: Path) -> Record:
    try:
        result = json.loads(read_text(folder / RESULT))
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no {RESULT}, so it is not a finished run.") from error
    except OSError as error:
        raise InputError(f"{folder}: {RESULT} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder}: {RESULT} is not JSON.") from error
    if not isinstance(result, dict):
        raise InputError(f"{folder}: {RESULT} holds no object.")
    return result


def _records(result: Record, key: str, folder: Path) -> list[Record]:
    records = result.get(key)
    if records is None:
        return []
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{folder}: in {RESULT}, {key} is not a list of objects.")
    return records


def _read_steps(path: Path) -> Iterator[Record]:
    try:
        with TextIOWrapper(open_regular(path), "utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    step = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(step, dict):
                    yield step
    except OSError:
        return


def _units(value: Json) -> tuple[str, ...]:
    return tuple(map(words, value)) if isinstance(value, list) else ()
