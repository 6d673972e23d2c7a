"""Takes a trained network and what is known of it; gives one fp16 safetensors file, and reads it back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from synth.errors import InputError
from synth.networks import weights_io


@dataclass(frozen=True)
class ClassName:
    """One class: its name, its WordNet synset and its ImageNet-1k index, where these are known."""

    name: str
    wnid: str | None = None
    imagenet_index: int | None = None


@dataclass(frozen=True)
class Description:
    """What a weights file says of itself, beside its tensors.

    `size` is the side of the pictures in pixels; `mean` and `std` are the training set's, per channel, of RGB
    in [0, 1]; `accuracy` is the share of validation pictures in [0, 1], or None before it is measured.
    """

    architecture: str
    classes: tuple[ClassName, ...]
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    accuracy: float | None = None
    command: str = ""


def write_weights(path: Path, tensors: Mapping[str, Tensor], description: Description) -> None:
    """Writes `tensors` to `path` atomically, every floating one as fp16; counters such as num_batches_tracked
    stay int64.

    The metadata values are strings, as safetensors demands: numbers and lists are JSON.
    """
    classes = [
        {"name": c.name, "wnid": c.wnid, "imagenet_index": c.imagenet_index}
        for c in description.classes
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
    """The tensors of `path`, floating ones as fp32, and its description: None when the file is not one of
    ours.

    Raises:
        InputError: when there is no such file, it is neither safetensors nor a torch state dict, or a value in
            it is not a finite number.
    """
    if not path.is_file():
        raise InputError(
            f"weights={path}: there is no such file; give a .safetensors file or weights=null."
        )
    tensors, metadata = weights_io.read(path, word="weights")
    return tensors, _description(metadata)


def _description(metadata: Mapping[str, str]) -> Description | None:
    if not {"architecture", "classes", "size", "mean", "std"} <= metadata.keys():
        return None
    return Description(
        architecture=metadata["architecture"],
        classes=tuple(ClassName(**row) for row in json.loads(metadata["classes"])),
        size=json.loads(metadata["size"]),
        mean=_triple(json.loads(metadata["mean"])),
        std=_triple(json.loads(metadata["std"])),
        accuracy=json.loads(metadata.get("accuracy", "null")),
        command=metadata.get("command", ""),
    )


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
