"""Training images of a directory as one uint8 tensor, with labels by class folder."""

from __future__ import annotations

import logging
import warnings
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
from synth.files import check_folder, files_below, open_image

log = logging.getLogger(__name__)

MOST_NAMED = 10  # files or folders in a message


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures with class labels.

    Args:
        pictures: uint8 [n, 3, size, size], in channels-last format.
        labels: int64 [n].
        classes: names of the classes in the order of the labels.
        skipped: paths of files that are named like pictures and could not be read.
    """

    pictures: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def select(self, rows: Tensor) -> LabelledPictures:
        """The pictures at the indices `rows` [m], in that order, without the skipped files."""
        return LabelledPictures(self.pictures[rows], self.labels[rows], self.classes)


def read_class_folders(
    folder: Path, size: int, classes: Sequence[str] | None = None, word: str = "images"
) -> LabelledPictures:
    """Every picture below the class folders of `folder`, at any depth, in the order of their names.

    Images of another size are cropped to a centred square and resized; grey ones get three equal
    channels, transparent ones a white background.

    Args:
        folder: holds a folder for each class.
        size: side of the pictures in pixels.
        classes: names of the classes in the order of the labels: the training set's, for a
            validation set. By default the class folders in alphabetical order.
        word: the user's key for the directory, for the messages.

    Raises:
        InputError: no such directory, no class folders in it, a class without a picture, or a class
            that is not in `classes`.
    """
    folders = _class_folders(folder, word)
    if classes is None:
        classes = folders
    for name in folders:
        if name not in classes:
            close = nearest(name, classes)
            raise InputError(
                f"{word}={folder}: the class folder {name!r} is not in the training set.{close}"
            )
    files = [
        (path, classes.index(name))
        for name in sorted(folders, key=classes.index)
        for path in _files(folder / name, f"{word}={folder / name}")
    ]
    pictures, readable, skipped = _read(folder, [path for path, _ in files], size, word)
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)[readable]
    counts = torch.bincount(labels, minlength=len(classes))
    empty = [name for name in folders if counts[classes.index(name)] == 0]
    if empty:
        raise InputError(
            f"{word}={folder}: no picture in {', '.join(empty[:MOST_NAMED])}; fill or remove these "
            "folders."
        )
    return LabelledPictures(pictures, labels, tuple(classes), skipped)


def read_folder(
    folder: Path, size: int, fewest: int = 2, word: str = "images"
) -> tuple[Tensor, tuple[str, ...]]:
    """Every picture below `folder`, at any depth, in the order of their paths.

    They are cropped and resized as by `read_class_folders`.

    Args:
        folder: the directory.
        size: side of the pictures in pixels.
        fewest: how many pictures it has to hold.
        word: the user's key for the directory, for the messages.

    Returns:
        The pictures, uint8 [n, 3, size, size], and the paths of files that could not be read.

    Raises:
        InputError: no such directory, or fewer than `fewest` pictures in it.
    """
    check_folder(folder, f"{word}={folder}", "give a folder of pictures")
    pictures, _, skipped = _read(folder, _files(folder, f"{word}={folder}"), size, word)
    if len(pictures) < fewest:
        raise InputError(
            f"{word}={folder}: {len(pictures)} pictures are too few to train on; give {fewest} or "
            "more."
        )
    return pictures, skipped


def read_unlabelled(
    images: Path, validation: Path | None, size: int, fewest: int, holdout: float | int, seed: int
) -> tuple[Tensor, Tensor, int]:
    """A training set and a validation set of pictures without labels.

    Args:
        images: the directory of training pictures.
        validation: the directory of validation pictures; where it is None, they are taken from
            `images`.
        size: side of the pictures in pixels.
        fewest: how many pictures `images` has to hold.
        holdout: without `validation`, how many of `images`, or below 1 which share of them.
        seed: draws those.

    Returns:
        Both sets, uint8 [n, 3, size, size], and the number of files that could not be read.

    Raises:
        InputError: as `read_folder` and `hold_out`.
    """
    log.info("Reading %s", images)
    training, skipped = read_folder(images, size, fewest)
    if validation is not None:
        others, others_skipped = read_folder(validation, size, 1, word="validation")
        return training, others, len(skipped) + len(others_skipped)
    one_class = torch.zeros(len(training), dtype=torch.int64)
    rest, held_out = hold_out(one_class, holdout, torch.Generator().manual_seed(seed))
    return training[rest], training[held_out], len(skipped)


def hold_out(
    labels: Tensor, amount: float | int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A random split that holds out the same share of every class (stratified).

    Args:
        labels: int64 [n].
        amount: how many to hold out, or below 1 which share of them.
        generator: draws them.

    Returns:
        Indices of the rest [n - m] and of those held out [m], both ascending.

    Raises:
        InputError: one of the two sides would be empty.
    """
    count = round(amount * len(labels)) if amount < 1 else int(amount)
    if not 0 < count < len(labels):
        raise InputError(
            f"holdout={amount}: of {len(labels)} pictures this keeps {count} aside; write 0.1 or "
            "100."
        )
    quantile = torch.empty(len(labels))
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero().flatten()
        order = rows[torch.randperm(len(rows), generator=generator)]
        # rank over class size: the lowest quantiles of every class come first, ties at random
        nudge = 0.25 + 0.5 * torch.rand(1, generator=generator)
        quantile[order] = (torch.arange(len(rows)) + nudge) / len(rows)
    order = quantile.argsort()
    return order[count:].sort().values, order[:count].sort().values


def _class_folders(folder: Path, word: str) -> list[str]:
    check_folder(folder, f"{word}={folder}", "give one with a folder of pictures a class")
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )
    if not names:
        raise InputError(
            f"{word}={folder}: no class folders in it; put the pictures of each class into their "
            "own."
        )
    return names


def _files(folder: Path, where: str) -> list[Path]:
    return [path for path in files_below(folder, where) if not path.name.startswith(".")]


def _read(
    folder: Path, paths: Sequence[Path], size: int, word: str
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """The readable pictures, uint8 [n, 3, size, size], a mask of `paths`, and the skipped paths."""
    pixels, problems = _decode(paths, size)
    readable = torch.tensor([problem is None for problem in problems], dtype=torch.bool)
    reasons = [problem.rstrip(".") for problem in problems if problem is not None]
    if reasons:
        log.warning(
            "%s=%s: %d files could not be read and are left out: %s",
            word,
            folder,
            len(reasons),
            "; ".join(reasons[:MOST_NAMED]) + ("; ..." if reasons[MOST_NAMED:] else ""),
        )
        pixels = pixels[readable]
    skipped = [str(path) for path, problem in zip(paths, problems, strict=True) if problem]
    return pixels.permute(0, 3, 1, 2), readable, tuple(skipped)


def _decode(paths: Sequence[Path], size: int) -> tuple[Tensor, list[str | None]]:
    """Pixels uint8 [n, size, size, 3], and why a row could not be read, or None; in threads."""
    pixels = np.zeros((len(paths), size, size, 3), dtype=np.uint8)

    def read(row: int) -> str | None:
        try:
            pixels[row] = _square(paths[row], size)
        except InputError as error:
            return str(error)
        return None

    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # Pillow's, about metadata and size
        problems = list(pool.map(read, range(len(paths))))
    return torch.from_numpy(pixels), problems


def _square(path: Path, size: int) -> Image.Image:
    with open_image(path, str(path)) as image:
        image.draft(None, (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
        rgb = data.rgb(ImageOps.exif_transpose(image))
        if rgb.size == (size, size):
            return rgb
        return ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
