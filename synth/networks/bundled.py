"""Networks of the bundled architectures, with the weights in the package or those of a file.

`recipe=train_classifier` writes such files: safetensors with the classes, the input size and the
normalisation in the metadata.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from synth.core.network import Network
from synth.errors import InputError
from synth.files import path_of
from synth.networks import architectures, weights_io
from synth.networks.metadata import ClassifierMetadata, classifier_metadata

BOX = Path(__file__).parent / "weights"


def bundled(
    name: str,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    fit: bool = False,
) -> Network:
    """A network of the architecture `name`.

    The same arguments give the same object, so that a sweep loads it once.

    Args:
        name: an architecture of `synth.networks.architectures`.
        weights: a file written by ``recipe=train_classifier``; by default the one in the package,
            where there is one. It carries its own classes, size and normalisation.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are scaled to the network's.

    Raises:
        InputError: no such architecture or file, a damaged file, or weights of another network.
    """
    architectures.builder(name, "network.name")  # an unknown name is reported before a lost file
    path = BOX / f"{name}.safetensors" if weights is None else path_of(weights, "network.weights")
    if weights is None and not path.exists():
        raise InputError(
            f"network.weights: {name} comes without weights; train some, synth train_classifier "
            f"architecture={name} images=FOLDER, and write network.weights=FILE."
        )
    return _load(name, path, weights_io.modified(path), device, precision, fit)


@lru_cache(maxsize=4)
def _load(name: str, path: Path, _changed: int, device: str, precision: str, fit: bool) -> Network:
    state, metadata = weights_io.read(path)
    about = classifier_metadata(metadata, path)

    def build() -> nn.Module:
        return architectures.builder(name, size=about.size)(classes=len(about.classes))

    module = weights_io.built(build, state, path, name)
    _check_size(build, about, path, name)
    network = Network(
        module,
        name=name,
        classes=about.classes,
        size=about.size,
        mean=about.mean,
        std=about.std,
        sha256=weights_io.sha256(path),
        device=device,
        precision=precision,
        fit=fit,
        copy=False,
    )
    grey = torch.full((1, 3, *about.size), 0.5, device=network.device)
    weights_io.check_answer(network(grey), path)
    return network


def _check_size(
    build: Callable[[], nn.Module], about: ClassifierMetadata, path: Path, name: str
) -> None:
    """Raises InputError where the network cannot read images of the size in the metadata.

    Shapes alone are computed, without memory.
    """
    height, width = about.size
    try:
        with torch.device("meta"):
            build().eval()(torch.empty(1, 3, height, width))
    except RuntimeError as error:
        raise InputError(
            f"network.weights={path}: its metadata has images of {height}x{width} pixels, which "
            f"{name} cannot read; give a file written by synth recipe=train_classifier."
        ) from error
