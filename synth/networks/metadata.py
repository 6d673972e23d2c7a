"""The description of a classifier in the metadata of its weights file, checked value by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.core.classes import Classes
from synth.data.sizes import size_of
from synth.errors import InputError
from synth.networks import weights_io
from synth.networks.weights_io import whole

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class ClassifierMetadata:
    """How a classifier was trained.

    Attributes:
        classes: of its outputs, in order.
        size: height and width of its images in pixels.
        mean: of each channel of its training images in [0, 1].
        std: their standard deviation, above 0.
    """

    classes: Classes
    size: tuple[int, int]
    mean: Channels
    std: Channels


def classifier_metadata(
    metadata: Mapping[str, str], path: Path, word: str = "network.weights"
) -> ClassifierMetadata:
    """The description in the metadata of a file that ``recipe=train_classifier`` has written.

    Args:
        metadata: as `weights_io.read` gives it.
        path: the file, for error messages.
        word: the user's key for the file in them.

    Raises:
        InputError: a value is missing, or none that such a file can have.
    """
    keys = ("classes", "size", "mean", "std")
    values = {key: weights_io.json_of(metadata, key, path, word) for key in keys}
    try:
        size = values["size"]
        sides = size_of([whole(side) for side in (size if isinstance(size, list) else [size] * 2)])
        mean, std = _channels(values["mean"]), _channels(values["std"])
        classes = _classes(values["classes"])
        if sides is None or min(std) <= 0:
            raise ValueError
    except (InputError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{word}={path}: its metadata (classes, size, mean, std) cannot be used; give a file "
            "written by synth recipe=train_classifier."
        ) from error
    return ClassifierMetadata(classes, sides, mean, std)


def _classes(entries: object) -> Classes:
    """Classes from a list of names, synsets and ImageNet's indices; the last two may be None."""
    if not _of_kind(entries, list):
        raise ValueError
    names, synsets, indices = [], [], []
    for entry in entries:
        names.append(_of_kind(entry["name"], str))
        synsets.append(_of_kind(entry.get("wnid"), str, type(None)))
        indices.append(_of_kind(entry.get("imagenet_index"), int, type(None)))
    return Classes(names, synsets, indices)


def _channels(values: object) -> Channels:
    red, green, blue = (float(_of_kind(value, int, float)) for value in values)
    if not all(map(math.isfinite, (red, green, blue))):
        raise ValueError
    return red, green, blue


def _of_kind(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError
    return value
