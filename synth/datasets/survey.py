"""The first pass over runs: which pictures there are, of which class, and which are copies.

What stays in memory is a row of `ROW` a picture, a hundred bytes; results of runs are read one
after the other, and the records of their pictures wait in a file until these are written.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from synth.datasets.columns import (
    KINDS,
    ORDER,
    Value,
    label_of,
    values_of_item,
    values_of_run,
)
from synth.datasets.copies import (
    NO_COPY,
    SIGNATURE,
    exact_copies,
    near_copies,
    pixels_digest,
    signature,
)
from synth.datasets.genomes import Genomes, genomes_of
from synth.datasets.splits import split_of
from synth.errors import InputError
from synth.files import decoded, open_regular, reason_of
from synth.gallery.folder import Run
from synth.gallery.numerals import anything, words
from synth.gallery.pictures import Picture
from synth.record import progress

LARGEST = 256 << 20  # bytes of a picture's file
LONGEST_NAME = 80  # characters of a class folder
ROW = np.dtype(
    [
        ("signature", SIGNATURE),
        ("crc32", "<u4"),  # of the file
        ("width", "<u4"),
        ("height", "<u4"),
        ("run", "<u4"),
        ("label", "<u4"),
    ]
)
PLACES = ("recipe=", "folder=", "device=", "sweep=")
BLOCK = 4096  # rows by which the table grows
THREADS = 2  # that read pictures


@dataclass(frozen=True)
class Example:
    """A picture of a data set, with its record.

    Attributes:
        id: the digits that name its files.
        split: name of its split.
        label: index of its class.
        content: of the PNG file.
        record: its values by column, in the order of the columns.
    """

    id: str
    split: str
    label: int
    content: bytes
    record: dict[str, Value]


@dataclass
class RunSummary:
    """What the data card says of a run.

    Attributes:
        source: the folder of the run, or the run where it has no result yet.
        number: which names it in the data set, ``000``.
        recipe: its name.
        words: the overrides of its command.
        search: name of the search; empty where there are several or none.
        network: name of the network.
        sha256: of the network's weights.
        version: of synth that made it.
        criterion: of success.
        pictures: how many of its pictures are in the data set.
        counted: of how many of these it is known whether they met the criterion.
        successes: how many did.
        genomes: its genomes and lineages; None where it has none.
    """

    source: Path | Run
    number: str
    recipe: str
    words: str
    search: str
    network: str
    sha256: str
    version: str
    criterion: str
    pictures: int = 0
    counted: int = 0
    successes: int = 0
    genomes: Genomes | None = None

    def read(self) -> Run:
        """The run."""
        return self.source if isinstance(self.source, Run) else Run(self.source)


class Survey:
    """The pictures of some runs.

    Args:
        folders: of finished runs, those that cannot be read are skipped; or runs.
        shares: of the splits, by name, adding up to 1.
        drop: which copies are left out: ``none``, ``exact``, ``near`` (both).
        spool: a file for the records, which is written here and read by `examples`.

    Attributes:
        runs: those that have pictures, in their order.
        classes: names of the classes, in the order of their labels.
        folders: names of the classes' folders, which are sorted.
        columns: the columns that have a value at all, in order.
        dense: those of them in which every picture has a value.
        counts: number of pictures of each split.
        label_counts: number of pictures of each class.
        exact: number of exact copies.
        near: number of near copies.
        parted: number of near copies in another split than what they resemble.
        skipped: why runs or pictures were left out, a line each.

    Raises:
        InputError: there is no picture.
    """

    def __init__(
        self, folders: Sequence[Path | Run], shares: Mapping[str, float], drop: str, spool: Path
    ) -> None:
        self.shares = dict(shares)
        self.drop = drop
        self.runs: list[RunSummary] = []
        self.skipped: list[str] = []
        self._filled: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._labels: dict[str, int] = {}
        self._table = np.zeros(BLOCK, ROW)
        self._count = 0
        self._spool = spool
        with (
            open(spool, "w", encoding="utf-8") as records,
            progress.Steps("reading runs", len(folders)) as bar,
        ):
            for done, folder in enumerate(folders, 1):
                self._read_run(folder, records)
                bar.at(done, f"{self._count:,} pictures")
        if not self._count:
            where = ", ".join(str(_folder_of(folder)) for folder in folders[:3])
            why = f": {self.skipped[0]}" if self.skipped else ""
            raise InputError(f"{where}: no picture that can be read{why}.")
        self._table = self._table[: self._count]
        signatures = self._table["signature"]
        self._exact, self._near = exact_copies(signatures), near_copies(signatures)
        self.exact, self.near = (int((copies >= 0).sum()) for copies in (self._exact, self._near))
        self._name_classes()
        self._count_pictures()

    def __len__(self) -> int:
        return sum(self.counts.values())

    # -- the first pass --------------------------------------------------------------------------

    def _read_run(self, folder: Path | Run, records: TextIO) -> None:
        try:
            run = folder if isinstance(folder, Run) else Run(folder)
        except InputError as error:
            self.skipped.append(str(error).rstrip("."))
            return
        if run.text("status") == "interrupted":
            self.skipped.append(f"{run.folder}: unfinished")
            return
        number = len(self.runs)
        about = _summary(run, folder, f"{number:03d}")
        of_run = {**values_of_run(run), "run": about.number}
        chosen = [(place, item) for place, item in enumerate(run.items) if item.picture is not None]
        rows = _rows([item.picture for _, item in chosen])
        for (place, item), image_row in zip(chosen, rows, strict=True):
            if isinstance(image_row, InputError):
                self.skipped.append(str(image_row).rstrip("."))
                continue
            values = {**of_run, **values_of_item(item), **_genome(about, place)}
            for name, value in values.items():
                self._filled[name] += value not in ("", None)
            label = self._labels.setdefault(label_of(item), len(self._labels))
            if self._count == len(self._table):
                self._table = np.concatenate([self._table, np.zeros(self._count, ROW)])
            self._table[self._count] = (*image_row, number, label)
            self._count += 1
            about.pictures += 1
            # a path may have bytes that are no UTF-8, which only escapes can hold
            records.write(json.dumps([str(item.picture.path), values]) + "\n")
        if about.pictures:
            self.runs.append(about)

    def _name_classes(self) -> None:
        """Numbers the classes in the order of their folders, as readers of folders do."""
        by_folder = dict(sorted(zip(_folder_names([*self._labels]), self._labels, strict=True)))
        self.folders, self.classes = [*by_folder], [*by_folder.values()]
        new_labels = np.zeros(len(self.classes), np.uint32)
        for label, name in enumerate(self.classes):
            new_labels[self._labels[name]] = label
        self._table["label"] = new_labels[self._table["label"]]

    def _count_pictures(self) -> None:
        digests = self._table["signature"]["pixels"]
        names = [*self.shares]
        splits = np.array([names.index(split_of(bytes(d), self.shares)) for d in digests.tolist()])
        parted = splits[self._near] != splits
        chosen = self._chosen()
        counts = np.bincount(splits[chosen], minlength=len(names)).tolist()
        self.parted = int((parted & (self._near >= 0)).sum())
        self.counts = {name: count for name, count in zip(names, counts, strict=True) if count}
        labels = self._table["label"][chosen]
        self.label_counts = np.bincount(labels, minlength=len(self.classes)).tolist()
        own = {"copy_of": self.exact, "near_copy_of": self.near}
        always = {"id", "label", "width", "height", "pixels_sha256"}
        filled = {**self._filled, **own, **dict.fromkeys(always, self._count)}
        self.columns = [name for name in ORDER if filled[name]]
        # a text can be empty
        self.dense = [n for n in self.columns if KINDS[n] is str or filled[n] == self._count]

    def _chosen(self) -> np.ndarray:
        """Which pictures are in the data set, bool [n]."""
        chosen = np.ones(self._count, bool)
        if self.drop in ("exact", "near"):
            chosen &= self._exact == NO_COPY
        if self.drop == "near":
            chosen &= self._near == NO_COPY
        return chosen

    # -- the second pass -------------------------------------------------------------------------

    def examples(self) -> Iterator[Example]:
        """All pictures, run after run.

        Raises:
            InputError: a picture has changed since the first pass.
        """
        for run in self.runs:
            run.pictures = run.counted = run.successes = 0
        digits = max(6, len(str(self._count)))
        with open(self._spool, encoding="utf-8") as records:
            for place, (line, chosen) in enumerate(
                zip(records, self._chosen().tolist(), strict=True)
            ):
                if chosen:
                    path, values = json.loads(line)
                    yield self._example(Path(path), values, place, digits)

    def _example(self, path: Path, values: dict[str, Value], place: int, digits: int) -> Example:
        row = self._table[place]
        content = _content(path)
        if zlib.crc32(content) != row["crc32"]:
            raise InputError(f"{path}: it changed while it was read; give the command again.")
        run = self.runs[int(row["run"])]
        run.pictures += 1
        run.counted += values["success"] is not None
        run.successes += values["success"] is True
        digest = row["signature"]["pixels"].tobytes()
        values |= {
            "id": f"{place:0{digits}d}",
            "label": self.classes[row["label"]],
            "width": int(row["width"]),
            "height": int(row["height"]),
            "pixels_sha256": digest.hex(),
            "copy_of": _id(int(self._exact[place]), digits),
            "near_copy_of": _id(int(self._near[place]), digits),
        }
        return Example(
            id=f"{place:0{digits}d}",
            split=split_of(digest, self.shares),
            label=int(row["label"]),
            content=content,
            record={name: values[name] for name in self.columns},
        )


def _genome(about: RunSummary, item: int) -> dict[str, Value]:
    """Where the genome of an item is."""
    place = about.genomes.place(item) if about.genomes else None
    if place is None:
        return {"genome_file": "", "genome_row": None}
    return {"genome_file": f"genomes/{about.number}/{place[0]}", "genome_row": place[1]}


def _folder_of(folder: Path | Run) -> Path:
    return folder.folder if isinstance(folder, Run) else folder


def _summary(run: Run, source: Path | Run, number: str) -> RunSummary:
    overrides = run.result.get("overrides")
    overrides = overrides if isinstance(overrides, list) else []
    # where and on what it ran is no part of what made it
    overrides = [word for word in map(str, overrides) if not word.startswith(PLACES)]
    return RunSummary(
        source=source,
        number=number,
        recipe=run.recipe,
        words=anything(" ".join(overrides), 400) if overrides else "",
        search=run.text("search"),
        network=run.network,
        sha256=words(run.mapping("network").get("sha256")),
        version=words(run.mapping("versions").get("synth")),
        criterion=words(run.mapping("about").get("success")),
        genomes=genomes_of(run),
    )


def _rows(pictures: Sequence[Picture]) -> list[tuple | InputError]:
    """`_read` of pictures, whose files are waited for, decoded and hashed by several threads."""
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore")  # Pillow's, about metadata and size
        return list(pool.map(_read, pictures))


def _read(picture: Picture) -> tuple | InputError:
    """What a row of the table says of a picture: signature, checksum, width and height.

    An error instead where it cannot be read, or is no PNG.
    """
    where = str(picture.path)
    try:
        if picture.problem:
            raise InputError(f"{where}: {picture.problem}.")
        content = _content(picture.path)
        with decoded(io.BytesIO(content), where) as image:
            if image.format != "PNG":
                raise InputError(f"{where}: no PNG.")
            image.load()
            digest = pixels_digest(image)
            row = signature(image, digest)
            return (row, zlib.crc32(content), *image.size)
    except InputError as error:
        return error


def _content(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {reason_of(error)}.") from error
    if len(content) > LARGEST:
        raise InputError(f"{path}: more than {LARGEST >> 20} MB.")
    return content


def _folder_names(classes: Sequence[str]) -> list[str]:
    """A folder for each class: letters, digits and ``_-,``, no two alike on any file system."""
    names: list[str] = []
    taken: set[str] = set()
    for name in classes:
        plain = unicodedata.normalize("NFC", name)
        plain = re.sub(r"[^\w,-]+", "_", plain).strip("_-,")[:LONGEST_NAME] or "class"
        if re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", plain, re.I):
            plain = f"{plain}_"  # a device of Windows
        choices = (plain if count == 1 else f"{plain}_{count}" for count in range(1, 10**9))
        unique = next(choice for choice in choices if choice.casefold() not in taken)
        taken.add(unique.casefold())
        names.append(unique)
    return names


def _id(place: int, digits: int) -> str:
    return f"{place:0{digits}d}" if place >= 0 else ""
