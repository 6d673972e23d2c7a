"""The pictures of a classifier's training: read, divided, checked, and told apart by a hash."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch

from synth.data.class_folders import LabelledPictures, hold_out, read_class_folders
from synth.errors import InputError
from synth.training.settings import fingerprint

log = logging.getLogger(__name__)


def read_pictures(
    images: Path,
    validation: Path | None,
    holdout: float | int,
    size: int,
    generator: torch.Generator,
) -> tuple[LabelledPictures, LabelledPictures]:
    """The training and the validation pictures, on the CPU.

    Args:
        images: folder with a folder of pictures for each class.
        validation: another such folder; None holds some of `images` out.
        holdout: fraction or number of these, without `validation`.
        size: side of the pictures in pixels.
        generator: draws which are held out.

    Raises:
        InputError: for folders that cannot be read, or one class alone.
    """
    log.info("Reading %s", images)
    training = read_class_folders(images, size)
    if len(training.classes) < 2:
        raise InputError(f"images={images}: one class folder only; a classifier needs two or more.")
    if validation is not None:
        return training, read_class_folders(validation, size, training.classes, word="validation")
    rest, held_out = hold_out(training.labels, holdout, generator)
    return replace(training.select(rest), skipped=training.skipped), training.select(held_out)


def check_enough(images: Path, training: LabelledPictures) -> None:
    """Raises InputError where there are fewer pictures to train on than classes."""
    count, classes = len(training.labels), len(training.classes)
    if count < classes:
        raise InputError(
            f"images={images}: {count} pictures to train on are fewer than its {classes} classes; "
            "give more pictures, or a smaller holdout."
        )


def fingerprint_of(*sets: LabelledPictures) -> str:
    """The number of pictures and a hash of their pixels, labels and classes."""
    return fingerprint(
        *(pictures.pictures for pictures in sets),
        about=[(pictures.classes, pictures.labels.tolist()) for pictures in sets],
    )
