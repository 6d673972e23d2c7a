"""Adversarial images of a batch: `attack`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
from torch import Tensor

from synth.api.result import Result
from synth.api.running import run
from synth.api.runs import Runs
from synth.api.settings import ARRAYS
from synth.core.network import Network
from synth.data import Picture, Sources
from synth.data.arrays import Array, pictures_of
from synth.errors import InputError

ABBREVIATIONS = {"pgd": "projected_gradient", "fgsm": "fast_gradient_sign"}
Labels = Tensor | np.ndarray | Sequence[int | str]


@no_type_check
def attack(
    network: Network | str,
    images: Array | Sources | Sequence[Array],
    labels: Labels | None = None,
    *,
    method: str = "projected_gradient",
    epsilon: float | Sequence[float] | None = None,
    norm: str | None = None,
    target: Labels | str | int | None = None,
    **settings: Any,
) -> Result | Runs:
    """Perturbs images so that a network misclassifies them.

    Args:
        network: of `synth.wrap` or `synth.network`, or a name.
        images: a batch [n, 3, h, w] or an image [3, h, w], RGB in [0, 1] before any normalisation;
            uint8 arrays, Pillow images, paths, or a folder.
        labels: the true class of each image, by index or name; what the network predicts by
            default. An image that is misclassified from the start counts as a success, and stays.
        method: the recipe: ``projected_gradient`` or ``pgd``, ``fast_gradient_sign`` or ``fgsm``,
            ``minimal_perturbation``, ``black_box_attack``.
        epsilon: radius of the ball in units of [0, 1], such as 8/255; in the L-infinity norm it is
            rounded down to whole levels of 1/255, since images are saved in these. Several radii
            give a result each. That of the recipe by default.
        norm: ``linf`` or ``l2``; the recipe's by default.
        target: class or classes (one for each image) that are to be predicted instead; untargeted
            by default.
        settings: as for `synth.run`: ``steps=40``, ``until=null``, ``seed=1``, ``folder=...``.

    Returns:
        The result, or one for each radius: ``.images`` float32 [n, 3, h, w] in [0, 1] with 8 bits a
        channel, ``.success`` bool [n], ``.linf`` and ``.l2`` float32 [n], and passes in ``.items``.
        Tensors keep their size where the network reads it, and are scaled and cropped to the
        network's otherwise. In the L-infinity norm images are inside the ball; in L2 rounding to 8
        bits may add to the length, and ``.l2`` is that of the rounded image.

    Raises:
        InputError: as `synth.run`; labels of another number than the images, or no whole numbers.

    Example:
        >>> result = synth.attack(network, images, labels, epsilon=8 / 255)
        >>> result.success.float().mean()
    """
    method = ABBREVIATIONS.get(method.lower(), method)
    if epsilon is not None and getattr(epsilon, "ndim", isinstance(epsilon, Sequence)):
        radii = [float(radius) for radius in epsilon]
        if not radii:
            raise InputError("epsilon=[]: name at least one radius.")
        folder = settings.pop("folder", None)
        each = [{} if folder is None else {"folder": Path(folder, f"{r:.6g}")} for r in radii]
        options = {"method": method, "norm": norm, "target": target, **settings}
        return Runs(
            [
                attack(network, images, labels, epsilon=radius, **options, **place)
                for radius, place in zip(radii, each, strict=True)
            ]
        )
    encoding: dict[str, Any] = {}
    if isinstance(images, ARRAYS) or _is_list_of_arrays(images):
        images = pictures_of(images)
        size = _size_read(network, images)
        encoding |= {} if size is None else {"size": size}
    count = len(images) if isinstance(images, list | tuple) else None
    if labels is not None:
        settings["label"] = _classes(labels, "labels")
        if count is not None and len(settings["label"]) != count:
            raise InputError(
                f"labels: {len(settings['label'])} labels and {count} images; give one for each."
            )
    if target is not None:
        settings["target"] = target if isinstance(target, str) else _classes(target, "target")
    ball = {"epsilon": epsilon if epsilon is None else float(epsilon), "norm": norm}
    encoding |= {name: value for name, value in ball.items() if value is not None}
    chosen = settings.get("encoding", {})
    if encoding and isinstance(chosen, Mapping):
        settings["encoding"] = {**encoding, **chosen}
    return run(method, network=network, images=images, **settings)


def _is_list_of_arrays(images: object) -> bool:
    several = isinstance(images, list | tuple) and len(images) > 0
    return several and all(isinstance(image, ARRAYS) for image in images)


def _size_read(network: Network | str, pictures: Sequence[Picture]) -> list[int] | None:
    """The size of the pictures, where all have one that is not the network's and that it reads."""
    sizes = {(picture.image.height, picture.image.width) for picture in pictures}
    if not isinstance(network, Network) or len(sizes) > 1 or network.fit:
        return None
    (size,) = sizes
    return list(size) if size != network.size and network.reads(size) else None


def _classes(labels: object, word: str) -> list[int | str]:
    """Classes by index or name as a list of plain values."""
    if isinstance(labels, Tensor | np.ndarray):
        labels = labels.reshape(-1).tolist()
    values = (
        list(labels) if isinstance(labels, Sequence) and not isinstance(labels, str) else [labels]
    )
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    for value in plain:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise InputError(f"{word}: {value!r} is no class; write indices or names.")
    return plain
