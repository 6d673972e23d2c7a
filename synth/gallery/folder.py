"""Takes a run folder, however damaged; gives its record, pictures and steps, and by name what is wrong."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from synth.errors import InputError
from synth.gallery.finding import RESULT, STEPS
from synth.gallery.numerals import words

Record = dict[str, Any]
CELL = frozenset(
    ("niche", "strip", "ancestors")
)  # any of these in an item makes it a cell of an archive


@dataclass(frozen=True)
class Picture:
    """A picture file of a run: `problem` is empty where it can be shown, else what keeps it from that."""

    path: Path
    width: int = 0
    height: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Item:
    """One entry of a result: its record as written, its picture, and the picture it started from, if any.

    `strip` shows its ancestors side by side, `large` is the picture in a higher resolution, `difference` what was
    changed in its original, amplified. `empty` is a cell of an archive that nothing ever filled.
    """

    record: Record
    picture: Picture | None
    original: Picture | None
    strip: Picture | None = None
    large: Picture | None = None
    difference: Picture | None = None
    empty: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture that belongs to the whole run, such as training curves."""

    picture: Picture
    caption: str


class Run:
    """A finished run folder. Raises InputError where its result cannot be read at all.

    `is_archive` says that its items are the cells of an archive, of which some may be empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.result = _result(folder)
        self._real = os.path.realpath(folder)
        records = _records(self.result, "items", folder)
        self.is_archive = bool(self.mapping("archive")) or any(
            CELL & record.keys() for record in records
        )
        self.items = tuple(self._item(record) for record in records)
        records = _records(self.result, "figures", folder)
        figures = (
            (self._picture(record.get("file")), words(record.get("caption"))) for record in records
        )
        self.figures = tuple(Figure(picture, caption) for picture, caption in figures if picture)

    @property
    def recipe(self) -> str:
        return words(self.result.get("recipe")) or self.folder.resolve().name

    @property
    def network(self) -> str:
        return words(self.mapping("network").get("name")) or words(self.text("network"))

    @property
    def contenders(self) -> dict[str, Record]:
        """The contenders of a comparison run by name; empty for any other run."""
        rows = self.mapping("contenders")
        return {name: row if isinstance(row, dict) else {} for name, row in rows.items()}

    @property
    def missing(self) -> tuple[Picture, ...]:
        """The pictures that the result names and the folder cannot show."""
        shown = [
            picture for item in self.items for picture in (item.picture, item.strip, item.large)
        ]
        shown += [figure.picture for figure in self.figures]
        return tuple(picture for picture in shown if picture and picture.problem)

    @cached_property
    def steps(self) -> tuple[Record, ...]:
        """The lines of steps.jsonl; lines that a crash cut short are left out."""
        return tuple(_steps(self.folder / STEPS))

    def mapping(self, key: str) -> Record:
        """The object under `key` of the result, empty where there is none."""
        value = self.result.get(key)
        return value if isinstance(value, dict) else {}

    def text(self, key: str) -> str:
        """The text under `key` of the result, empty where there is none."""
        value = self.result.get(key)
        return value if isinstance(value, str) else ""

    def _item(self, record: Record) -> Item:
        names = (record.get(key) for key in ("file", "original", "strip", "large", "difference"))
        return Item(
            record, *map(self._picture, names), empty=self.is_archive and not record.get("file")
        )

    def _picture(self, name: Any) -> Picture | None:
        if not isinstance(name, str) or not name:
            return None
        path = Path(name)
        # A result is data: it may not make a page show files from elsewhere on the reader's disk.
        if path.is_absolute() or ".." in path.parts or not self._holds(self.folder / path):
            return Picture(self.folder / path.name, problem="picture outside the run folder")
        return _look(self.folder / path)

    def _holds(self, path: Path) -> bool:
        """Whether `path` stays in the folder when links are followed; what is no path at all is found out later."""
        try:
            return Path(os.path.realpath(path)).is_relative_to(self._real)
        except ValueError:
            return True


def _look(path: Path) -> Picture:
    """Only the header is read, so that thousands of pictures take a moment."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # nothing is decompressed here
            with Image.open(path) as opened:
                if 0 in opened.size:
                    return Picture(path, problem="picture cannot be read")
                return Picture(path, *opened.size)
    except FileNotFoundError:
        return Picture(path, problem="picture missing")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return Picture(path, problem="picture cannot be read")


def _result(folder: Path) -> Record:
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
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


def _steps(path: Path) -> Iterator[Record]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    step = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(step, dict):
                    yield step
    except OSError:
        return
