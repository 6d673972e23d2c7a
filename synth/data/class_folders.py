"""Takes a directory of pictures, in class folders or anyhow; gives them as one uint8 tensor, and their labels."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from synth import data
from synth.errors import InputError, nearest

log = logging.getLogger(__name__)

SAID = 10


@dataclass(frozen=True)
class LabelledPictures:
    """`pictures` uint8 ``[n, 3, size, size]`` (channels_last), `labels` int64 ``[n]``, `classes` in label
    order.

    `skipped` are the paths of files that looked like pictures and could not be read.
    """

    pictures: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def select(self, rows: Tensor) -> LabelledPictures:
        """The pictures at the indices `rows` ``[m]``, in that order; classes stay, skipped files do not."""
        return LabelledPictures(self.pictures[rows], self.labels[rows], self.classes)


def read_class_folders(
    folder: Path, size: int, classes: Sequence[str] | None = None, word: str = "images"
) -> LabelledPictures:
    """Reads every picture below the class folders of `folder`, at any depth, in the order of their names.

    Pictures of another size are cut to a centred square and resized to `size`; grey ones get three equal
    channels, transparent ones a white ground. The labels count the class folders in alphabetical order, or in
    the order of `classes` where those are given (the training set's, for a validation set).

    Args:
        word: what the user calls this directory, for the messages.

    Raises:
        InputError: no such directory, no class folders in it, a class without a picture, or a class not in
            `classes`.
    """
    found = _class_folders(folder, word)
    if classes is None:
        classes = found
    for name in found:
        if name not in classes:
            close = nearest(name, classes)
            raise InputError(
                f"{word}={folder}: the class folder {name!r} is not in the training set.{close}"
            )
    files = [(path, label) for label, name in enumerate(classes) for path in _files(folder / name)]
    pictures, whole, skipped = _read(folder, [path for path, _ in files], size, word)
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)[whole]
    counts = torch.bincount(labels, minlength=len(classes))
    empty = [name for name in found if counts[classes.index(name)] == 0]
    if empty:
        raise InputError(
            f"{word}={folder}: no picture in {', '.join(empty[:SAID])}; fill or remove these folders."
        )
    return LabelledPictures(pictures, labels, tuple(classes), skipped)


def read_folder(
    folder: Path, size: int, fewest: int = 2, word: str = "images"
) -> tuple[Tensor, tuple[str, ...]]:
    """Every picture below `folder`, at any depth, in the order of their paths: uint8 ``[n, 3, size, size]``.

    As `read_class_folders` reads them; the second value are the paths of the files that could not be read.

    Raises:
        InputError: no such directory, or fewer than `fewest` pictures in it.
    """
    if not folder.is_dir():
        raise InputError(f"{word}={folder}: there is no such directory; give a folder of pictures.")
    pictures, _, skipped = _read(folder, _files(folder), size, word)
    if len(pictures) < fewest:
        raise InputError(
            f"{word}={folder}: {len(pictures)} pictures are too few to train on; give {fewest} or more."
        )
    return pictures, skipped


def read_unlabelled(
    images: Path, validation: Path | None, size: int, fewest: int, holdout: float | int, seed: int
) -> tuple[Tensor, Tensor, int]:
    """Pictures to train on and to validate, both uint8 ``[n, 3, size, size]``, and how many files were unreadable.

    Those to validate are of the folder `validation`; where that is None, `holdout` of `images`, drawn by `seed`.

    Raises:
        InputError: as `read_folder` and `hold_out` have it; `fewest` are the pictures that `images` must hold.
    """
    log.info("Reading %s", images)
    training, skipped = read_folder(images, size, fewest)
    if validation is not None:
        others, more = read_folder(validation, size, 1, word="validation")
        return training, others, len(skipped) + len(more)
    nobody = torch.zeros(len(training), dtype=torch.int64)
    kept, aside = hold_out(nobody, holdout, torch.Generator().manual_seed(seed))
    return training[kept], training[aside], len(skipped)


def hold_out(
    labels: Tensor, amount: float | int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Splits the indices of `labels` ``[n]`` into those kept ``[n - m]`` and those held out ``[m]``, both
    ascending.

    Every class gives the same share, at random. `amount` below 1 is a fraction of the pictures, else their
    number.

    Raises:
        InputError: when `amount` leaves nothing on one of the two sides.
    """
    count = round(amount * len(labels)) if amount < 1 else int(amount)
    if not 0 < count < len(labels):
        raise InputError(
            f"holdout={amount}: of {len(labels)} pictures this keeps {count} aside; write 0.1 or 100."
        )
    quantile = torch.empty(len(labels))
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero().flatten()
        order = rows[torch.randperm(len(rows), generator=generator)]
        # Rank over class size: the lowest quantiles of every class go first, ties fall at random.
        nudge = 0.25 + 0.5 * torch.rand(1, generator=generator)
        quantile[order] = (torch.arange(len(rows)) + nudge) / len(rows)
    order = quantile.argsort()
    return order[count:].sort().values, order[:count].sort().values


def _class_folders(folder: Path, word: str) -> list[str]:
    if not folder.is_dir():
        raise InputError(
            f"{word}={folder}: there is no such directory; give one with a folder of pictures a class."
        )
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )
    if not names:
        raise InputError(
            f"{word}={folder}: no class folders in it; put the pictures of each class into their own."
        )
    return names


def _files(folder: Path) -> list[Path]:
    found = [Path(where, name) for where, _, names in os.walk(folder) for name in names]
    return sorted(
        path
        for path in found
        if path.suffix.lower() in data.SUFFIXES and not path.name.startswith(".")
    )


def _read(
    folder: Path, paths: Sequence[Path], size: int, word: str
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """The readable pictures ``[n, 3, size, size]``, which of `paths` they are (bool), and those left out, by name."""
    pixels, whole = _decode(paths, size)
    skipped = tuple(str(path) for path, good in zip(paths, whole.tolist(), strict=True) if not good)
    if skipped:
        names = ", ".join(skipped[:SAID]) + (", ..." if skipped[SAID:] else "")
        log.warning(
            "%s=%s: %d files could not be read and are left out: %s",
            word,
            folder,
            len(skipped),
            names,
        )
        pixels = pixels[whole]
    return pixels.permute(0, 3, 1, 2), whole, skipped


def _decode(paths: Sequence[Path], size: int) -> tuple[Tensor, Tensor]:
    """Pixels uint8 ``[n, size, size, 3]`` and which rows were readable, bool ``[n]``."""
    pixels = np.zeros((len(paths), size, size, 3), dtype=np.uint8)
    whole = np.zeros(len(paths), dtype=bool)

    def read(row: int) -> None:
        try:
            pixels[row] = _square(paths[row], size)
            whole[row] = True
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            pass  # the caller names the rows that stayed False

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(read, range(len(paths))):
            pass
    return torch.from_numpy(pixels), torch.from_numpy(whole)


def _square(path: Path, size: int) -> Image.Image:
    with Image.open(path) as image:
        image.draft(None, (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
        rgb = data.rgb(ImageOps.exif_transpose(image))
        return (
            rgb
            if rgb.size == (size, size)
            else ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
        )
