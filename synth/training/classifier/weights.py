"""Weights files of classifiers: fp16 safetensors with a description of the network as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from synth.networks import weights_io
from synth.networks.metadata import classifier_metadata


@dataclass(frozen=True)
class ClassName:
    """One class of a classifier.

    Attributes:
        name: its name in words.
        wnid: its WordNet synset, where known.
        imagenet_index: its index in ImageNet-1k, where known.
    """

    name: str
    wnid: str | None = None
    imagenet_index: int | None = None


@dataclass(frozen=True)
class Description:
    """The metadata of a weights file.

    Attributes:
        architecture: name of the architecture.
        classes: in label order.
        size: side of the pictures in pixels.
        mean: of the training set, per channel, of RGB in [0, 1].
        std: of the training set, per channel, of RGB in [0, 1].
        accuracy: top-1 accuracy on the validation set, in [0, 1]; None before it is measured.
        command: the command line that the network was trained with.
    """

    architecture: str
    classes: tuple[ClassName, ...]
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    accuracy: float | None = None
    command: str = ""


def write_weights(path: Path, tensors: Mapping[str, Tensor], description: Description) -> None:
    """Writes `tensors` to `path` atomically, floating point ones as fp16, counters as int64.

    The values of the metadata are strings, as safetensors demands: numbers and lists are JSON.
    """
    classes = [
        {"name": entry.name, "wnid": entry.wnid, "imagenet_index": entry.imagenet_index}
        for entry in description.classes
    ]
    metadata = {
        "architecture": description.architecture,
        "classes": json.dumps(classes, ensure_ascii=False),
        "size": json.dumps(description.size),
        "mean": json.dumps(description.mean),
        "std": json.dumps(description.std),
        "accuracy": json.dumps(description.accuracy),
        "command": description.command,
    }
    weights_io.write(path, tensors, metadata)


def read_weights(path: Path) -> tuple[dict[str, Tensor], Description | None]:
    """Reads a weights file.

    Returns:
        The tensors, floating point ones as fp32, and the description; None where the metadata lacks
        it, as in a file of another program.

    Raises:
        InputError: there is no such file, it is neither safetensors nor a torch state dict, a
            value in it is not finite, or its description is none that such a file can have.
    """
    tensors, metadata = weights_io.read(path, word="weights")
    return tensors, _description(metadata, path)


def _description(metadata: Mapping[str, str], path: Path) -> Description | None:
    if not {"architecture", "classes", "size", "mean", "std"} <= metadata.keys():
        return None
    about = classifier_metadata(metadata, path, "weights")
    classes = about.classes
    accuracy = None
    if "accuracy" in metadata:
        accuracy = weights_io.json_of(metadata, "accuracy", path, "weights")
    return Description(
        architecture=metadata["architecture"],
        classes=tuple(map(ClassName, classes.names, classes.synsets, classes.imagenet)),
        size=about.size[0],
        mean=about.mean,
        std=about.std,
        accuracy=accuracy if isinstance(accuracy, float) else None,
        command=metadata.get("command", ""),
    )
