"""Pictures of a folder, glob or list, read a batch at a time: data sets larger than memory."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import ExifTags
from torch import Tensor

from synth.core.types import Images
from synth.data.pictures import Picture, Source, Sources, files_of, picture
from synth.errors import InputError
from synth.files import open_image, path_of

log = logging.getLogger(__name__)

AHEAD = 2  # batches that are decoded while one is in use
MOST_NAMED = 8  # unreadable files in a message


@dataclass(frozen=True)
class Batch:
    """Some pictures of a collection.

    Attributes:
        places: of each in the collection, int64 [b].
        images: float32 [b, 3, h, w], RGB in [0, 1], on the CPU.
    """

    places: Tensor
    images: Images


class Collection:
    """Pictures that are opened when they are read, and forgotten after.

    Files of a folder or glob that are no readable pictures are left out when they are come upon,
    with a warning and a count (`skipped`); a file that is named itself must be readable.

    Args:
        source: a folder, at any depth, a glob, a list, one path, a bundled name, or pictures.
        word: the user's key for it, for error messages.

    Attributes:
        names: of the files.
        folders: of the folder that each is in, in a data set its class; empty for none.
        skipped: places of the files that could not be read, as far as they have been come upon.

    Raises:
        InputError: where there is no such file, or no file at all.
    """

    def __init__(self, source: Sources, word: str = "images") -> None:
        single = isinstance(source, str | Path | Picture)
        paths = files_of(source, word) if isinstance(source, str | Path) else None
        self._optional = paths is not None  # of a folder or glob, whose bad files are left out
        self._word = word
        self._source = source if isinstance(source, str | Path) else word
        self._sources: list[Source] = list(paths or ([source] if single else source))
        if not self._sources:
            raise InputError(f"{word}=[]: name at least one picture.")
        self.names: list[str] = []
        self.folders: list[str] = []
        for each in self._sources:
            # those that are named are opened once, for errors before the work begins, and forgotten
            name, folder = _place(each) if self._optional else _place(picture(each, word))
            self.names.append(name)
            self.folders.append(folder)
        self.skipped: list[int] = []

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def digest(self) -> str:
        """A hash of the names and folders of all files in their order, 16 hexadecimal digits."""
        names = "\0".join([*self.names, *self.folders])
        return hashlib.sha256(names.encode(errors="surrogatepass")).hexdigest()[:16]

    def picture(self, place: int) -> Picture:
        """The picture at a place, opened anew."""
        return picture(self._sources[place], self._word)

    def size(self, place: int) -> tuple[int, int] | None:
        """Height and width of the picture at a place, without decoding it; None of a bad file."""
        source = self._sources[place]
        if isinstance(source, Picture):
            return source.image.height, source.image.width
        try:
            with open_image(path_of(source, self._word), f"{self._word}={source}") as image:
                turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
                return image.size if turned else image.size[::-1]
        except InputError:
            return None

    def batches(self, size: tuple[int, int], batch: int, first: int = 0) -> Iterator[Batch]:
        """All pictures from place `first` on, decoded while earlier ones are in use.

        Args:
            size: height and width that each is scaled and cropped to.
            batch: how many at a time; fewer where some could not be read.
            first: the place to begin at.

        Raises:
            InputError: where no picture at all could be read.
        """
        starts = range(first, len(self), batch)
        readable = first > 0
        with ThreadPoolExecutor(1) as pool:
            waiting: list[Future[Batch]] = []
            for start in [*starts, *[None] * AHEAD]:
                if start is not None:
                    places = range(start, min(start + batch, len(self)))
                    waiting.append(pool.submit(self._read, places, size))
                if len(waiting) > AHEAD or (start is None and waiting):
                    part = waiting.pop(0).result()
                    if len(part.places):
                        readable = True
                        yield part
        if not readable:
            raise InputError(
                f"{self._word}={self._source}: none of its {len(self)} files is a readable picture."
            )
        self._report()

    def _read(self, places: Sequence[int], size: tuple[int, int]) -> Batch:
        good, images = [], []
        for place in places:
            try:
                images.append(self.picture(place).at(size))
                good.append(place)
            except InputError as error:
                if not self._optional:
                    raise
                if place not in self.skipped:
                    self.skipped.append(place)
                    log.warning("skipped: %s", error)
        stacked = torch.stack(images) if images else torch.zeros(0, 3, *size)
        return Batch(torch.tensor(good, dtype=torch.int64), stacked)

    def _report(self) -> None:
        if self.skipped:
            names = ", ".join(self.names[place] for place in self.skipped[:MOST_NAMED])
            more = len(self.skipped) - MOST_NAMED
            log.warning(
                "%s=%s: %d of %d files skipped: %s%s",
                self._word,
                self._source,
                len(self.skipped),
                len(self),
                names,
                f" and {more} more" if more > 0 else "",
            )


def fingerprint(image: Tensor) -> int:
    """A number of 63 bits and a sign that copies of an image [3, h, w] have in common."""
    digest = hashlib.sha1(image.numpy(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _place(source: Source) -> tuple[str, str]:
    """The names of a picture and of its folder."""
    if isinstance(source, Picture):
        return source.name, source.folder
    return Path(source).name, Path(source).absolute().parent.name
