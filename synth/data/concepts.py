"""Pictures with labels of pixels, in the categories of a concept set: colours, objects, parts.

A label map is a picture of whole numbers, an index of a palette or grey levels, whose meaning is in
a table: value, name, category, ignore. A picture may have several maps, which may overlap. Broden
(Bau, Zhou et al. 2017) is read in its own layout.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from synth.data.collection import Collection
from synth.data.pictures import files_of
from synth.errors import InputError
from synth.files import open_image, path_of, read_text, reason_of

log = logging.getLogger(__name__)

TABLE = "concepts.tsv"
COLUMNS = ("value", "name", "category", "ignore")
NOTHING = 0  # a pixel without a concept, unless the table has a concept of this value
TOLERANCE = 0.02  # of the ratio of the sides, for maps whose sides were rounded
GREY = ("1", "L", "P", "I", "I;16")
BRODEN = ("color", "object", "part", "material", "scene", "texture")


@dataclass(frozen=True)
class Concept:
    """A concept, such as ``sky`` of the category ``object``."""

    name: str
    category: str


@dataclass(frozen=True)
class _Map:
    """A label map of a picture: its file, or one value for the whole picture.

    `categories` are the places of those that it speaks of.
    """

    source: Path | int
    categories: tuple[int, ...]


class ConceptSet:
    """Pictures and their label maps.

    Args:
        images: folder or glob of pictures; of Broden, the folder with index.csv.
        labels: folder of label maps with the pictures' names. Those in a folder that is called as a
            category speak of that category, the others of all that have no such folder. None where
            `images` is in Broden's layout.
        table: file of the concepts, columns value, name, category, ignore, separated by tabs;
            ``concepts.tsv`` beside or in `labels` where None. A pixel whose value has ignore 1
            counts for no concept and against none; 0 without a line is a pixel of no concept.

    Attributes:
        concepts: all, in the table's order.
        categories: names, in the order of their first concept.
        category: of each concept, its place in `categories`, int64 [concepts].
        collection: the pictures that have a map.
        missing: how many have none.
        unused: how many maps belong to no picture.

    Raises:
        InputError: no maps, no table, a line of it that cannot be read, two pictures of one name.
    """

    def __init__(
        self, images: str | Path, labels: str | Path | None = None, table: str | Path | None = None
    ) -> None:
        folder = path_of(images, "images")
        if labels is None:
            if not (folder / "index.csv").is_file():
                raise InputError(
                    f"images={images}: write labels=FOLDER too, the label maps of these pictures; "
                    "or the folder of Broden, which has index.csv."
                )
            self._where = f"images={images}"
            self._coloured = True
            self._read_broden(folder)
        else:
            self._where = f"labels={labels}"
            self._coloured = False
            self._read_folders(images, path_of(labels, "labels"), table)
        self.categories = list(dict.fromkeys(concept.category for concept in self.concepts))
        self.category = torch.tensor(
            [self.categories.index(concept.category) for concept in self.concepts]
        )

    # -- layouts ---------------------------------------------------------------------------------

    def _read_folders(self, images: str | Path, labels: Path, table: str | Path | None) -> None:
        self._read_table(labels, table)
        categories = list(dict.fromkeys(concept.category for concept in self.concepts))
        pictures = files_of(images, "images") or [Path(images)]
        maps = files_of(labels, "labels") or []
        own = {path.parent.name for path in maps} & set(categories)
        rest = tuple(place for place, name in enumerate(categories) if name not in own)
        named: dict[str, list[_Map]] = {}
        for path in maps:
            folder = path.parent.name
            speaks = (categories.index(folder),) if folder in own else rest
            named.setdefault(path.stem, []).append(_Map(path, speaks))
        paths = [path for path in pictures if path.stem in named]
        first: dict[str, Path] = {}
        for path in paths:
            if first.setdefault(path.stem, path) is not path:
                raise InputError(
                    f"{self._where}: {first[path.stem]} and {path} have one name, so that their "
                    "label maps are the same; name each picture differently."
                )
        self.missing = len(pictures) - len(paths)
        self.unused = len(named.keys() - {path.stem for path in pictures})
        if not paths:
            raise InputError(
                f"{self._where}: no label map has the name of a picture of images={images}; "
                f"write one for each, as {pictures[0].stem}.png."
            )
        if self.missing:
            log.warning(
                "%s: %d pictures have no label map and are left out", self._where, self.missing
            )
        if self.unused:
            log.warning(
                "%s: %d label maps have no picture and are left out", self._where, self.unused
            )
        self.collection = Collection(paths)
        self._maps = [named[path.stem] for path in paths]

    def _read_table(self, labels: Path, table: str | Path | None) -> None:
        near = [labels / TABLE, labels.parent / TABLE]
        path = (
            path_of(table, "concepts")
            if table is not None
            else next(filter(Path.is_file, near), None)
        )
        if path is None:
            raise InputError(
                f"{self._where}: write concepts=FILE, a table of its values: value, name, category "
                f"and ignore, separated by tabs; or place it there as {TABLE}."
            )
        where = f"concepts={path}"
        self.concepts: list[Concept] = []
        values: dict[int, int] = {}
        ignored: list[int] = []
        for number, line in _lines(path, where, "\t", COLUMNS):
            try:
                value, ignore = int(line["value"]), int(line["ignore"] or 0)
                if not 0 <= value < 1 << 16 or ignore not in (0, 1):
                    raise ValueError
            except ValueError:
                raise InputError(
                    f"{where}: line {number}: write a value from 0 to 65535, name, category, and "
                    "ignore, 0 or 1."
                ) from None
            if value in values or value in ignored:
                raise InputError(f"{where}: line {number}: value {value} is there twice.")
            if ignore:
                ignored.append(value)
            else:
                values[value] = len(self.concepts)
                self.concepts.append(Concept(line["name"], line["category"]))
        if not self.concepts:
            raise InputError(f"{where}: has no concept that is not ignored.")
        self._values = _lookup(values, ignored)

    def _read_broden(self, folder: Path) -> None:
        categories: list[str] = []
        values: dict[int, int] = {}
        self.concepts = []
        kinds: dict[int, tuple[str, str]] = {}
        for number, line in _lines(
            folder / "label.csv", f"{self._where}/label.csv", ",", ("number", "name", "category")
        ):
            try:
                # ``sky(289)/object(3)``: several categories of one name; the first is its own
                kinds[int(line["number"])] = (
                    line["name"],
                    line["category"].split(";")[0].split("(")[0],
                )
            except ValueError:
                raise InputError(f"{self._where}/label.csv: line {number}: no number.") from None
        for value, (name, category) in kinds.items():
            values[value] = len(self.concepts)
            self.concepts.append(Concept(name, category))
        categories = list(dict.fromkeys(concept.category for concept in self.concepts))
        self._values = _lookup(values, [])
        paths: list[Path] = []
        self._maps: list[list[_Map]] = []
        for number, line in _lines(
            folder / "index.csv", f"{self._where}/index.csv", ",", ("image",)
        ):
            maps = []
            for category in BRODEN:
                if category not in categories:
                    continue
                place = (categories.index(category),)
                for entry in filter(None, (line.get(category) or "").split(";")):
                    if entry.isdecimal():
                        maps.append(_Map(int(entry), place))
                    else:
                        maps.append(
                            _Map(
                                _inside(
                                    folder / "images",
                                    entry,
                                    f"{self._where}/index.csv: line {number}",
                                ),
                                place,
                            )
                        )
            if maps:
                paths.append(
                    _inside(
                        folder / "images", line["image"], f"{self._where}/index.csv: line {number}"
                    )
                )
                self._maps.append(maps)
        if not paths:
            raise InputError(f"{self._where}/index.csv: has no picture with a label.")
        self.missing = self.unused = 0
        self.collection = Collection(paths)

    # -- masks -----------------------------------------------------------------------------------

    def masks(
        self, place: int, size: tuple[int, int], grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The concepts of a picture at every cell of a grid, by the label at the cell's centre.

        Args:
            place: of the picture in `collection`.
            size: height and width at which the network reads it: scaled to cover them, and cropped.
            grid: rows and columns.

        Returns:
            Bool [concepts, rows, columns], where each concept is; bool [categories, rows, columns],
            where a label of each category counts.

        Raises:
            InputError: for a map that cannot be read, of another shape than the picture, or with a
                value that the table lacks.
        """
        masks = torch.zeros(len(self.concepts), *grid, dtype=torch.bool)
        counted = torch.zeros(len(self.categories), *grid, dtype=torch.bool)
        void = torch.zeros(len(self.categories), *grid, dtype=torch.bool)
        for entry in self._maps[place]:
            speaks = list(entry.categories)
            counted[speaks] = True
            if isinstance(entry.source, int):
                concept = int(
                    self._concepts_of(np.array([entry.source]), self.collection.names[place])[0]
                )
                if concept >= 0:
                    masks[concept] = True
                continue
            labels = self._label_map(entry.source, place)
            rows, columns = _cells(labels.shape, size, grid)
            concepts = torch.from_numpy(
                self._concepts_of(labels[rows][:, columns], str(entry.source))
            )
            for concept in concepts.unique().tolist():
                if concept >= 0:
                    masks[concept] |= concepts == concept
            void[speaks] |= concepts == IGNORED
        return masks, counted & ~void

    def _label_map(self, path: Path, place: int) -> np.ndarray:
        with open_image(path, f"labels={path}") as image:
            if self._coloured and image.mode == "RGB":
                values = np.asarray(image).astype(np.int64)
                labels = values[..., 0] + 256 * values[..., 1]
            elif image.mode in GREY:
                labels = np.asarray(image).astype(np.int64)
            else:
                raise InputError(
                    f"labels={path}: a picture in colours ({image.mode}); write a label map, grey "
                    "levels or a palette whose indices are the values."
                )
        size = self.collection.size(place)
        if size is not None:
            ratio = labels.shape[0] * size[1] / (labels.shape[1] * size[0])
            if abs(ratio - 1) > TOLERANCE:
                raise InputError(
                    f"labels={path}: {labels.shape[1]} x {labels.shape[0]} pixels do not cover its "
                    f"picture of {size[1]} x {size[0]}; write a map of the same shape."
                )
        return labels

    def _concepts_of(self, values: np.ndarray, where: str) -> np.ndarray:
        """The concept of each value, negative where there is none."""
        concepts = np.full(values.shape, UNKNOWN, dtype=np.int64)
        inside = (values >= 0) & (values < len(self._values))
        concepts[inside] = self._values[values[inside]]
        if (concepts == UNKNOWN).any():
            value = int(values[concepts == UNKNOWN].flat[0])
            raise InputError(
                f"{self._where}: {Path(where).name} has the value {value}, which the table of "
                "concepts lacks; add a line for it, with ignore 1 where it does not count."
            )
        return concepts


NONE, IGNORED, UNKNOWN = -1, -2, -3


def _lookup(values: Mapping[int, int], ignored: Sequence[int]) -> np.ndarray:
    """The concept of each value, or why there is none."""
    table = np.full(max([NOTHING, *values, *ignored]) + 1, UNKNOWN, dtype=np.int64)
    table[NOTHING] = NONE
    for value, concept in values.items():
        table[value] = concept
    table[list(ignored)] = IGNORED
    return table


def _cells(
    shape: tuple[int, ...], size: tuple[int, int], grid: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a map at the centres of a grid's cells, where its picture is cropped."""
    share = max(size[0] / shape[0], size[1] / shape[1])
    places = []
    for length, side, count in zip(shape, size, grid, strict=True):
        span = side / share
        centres = (length - span) / 2 + (np.arange(count) + 0.5) * span / count
        places.append(centres.astype(np.int64).clip(0, length - 1))
    return places[0], places[1]


def _inside(folder: Path, name: str, where: str) -> Path:
    """A file below a folder; a path that leads out of it is refused."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{where}: {name} is not below {folder}.")
    return folder / path


def _lines(
    path: Path, where: str, separator: str, columns: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    """Numbered lines of a table by its header."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {reason_of(error)}.") from error
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, restval="")
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            f"{where}: its first line has no column {missing[0]}; write {', '.join(columns)}."
        )
    return [(number, line) for number, line in enumerate(reader, 2)]
