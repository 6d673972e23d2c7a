"""Adversarial images of a batch: `attack`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from synth.api.result import Result
from synth.api.running import run
from synth.core.network import Network
from synth.data import Picture, Sources
from synth.data.arrays import Array
from synth.errors import InputError

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
) -> Result | list[Result]:
    """Perturbs images so that a network misclassifies them.

    Args:
        network: of `synth.wrap` or `synth.network`, or a name.
        images: a batch [n, 3, h, w] or an image [3, h, w], RGB in [0, 1] before any normalisation;
            uint8 arrays, Pillow images, paths, or a folder.
        labels: the true class of each image, by index or name; what the network predicts by
            default. An image that is misclassified from the start counts as a success, and stays.
        method: the recipe: ``projected_gradient``, ``fast_gradient_sign``,
            ``minimal_perturbation``, ``black_box_attack``.
        epsilon: radius of the ball in units of [0, 1], such as 8/255; in the L-infinity norm it is
            rounded down to whole levels of 1/255, since images are saved in these. Several radii
            give a result each. That of the recipe by default.
        norm: ``linf`` or ``l2``; the recipe's by default.
        target: class or classes (one for each image) that are to be predicted instead; untargeted
            by default.
        settings: as for `synth.run`: ``steps=40``, ``until=null``, ``seed=1``, ``folder=...``.

    Returns:
        The result, or a list of them: ``.images`` float32 [n, 3, h, w] in [0, 1] inside the ball,
        ``.success`` bool [n], ``.linf`` and ``.l2`` float32 [n], and passes in ``.items``.

    Raises:
        InputError: as `synth.run`.

    Example:
        >>> result = synth.attack(network, images, labels, epsilon=8 / 255)
        >>> result.success.float().mean()
    """
    if epsilon is not None and not isinstance(epsilon, int | float):
        return [
            attack(
                network,
                images,
                labels,
                method=method,
                epsilon=float(radius),
                norm=norm,
                target=target,
                **settings,
            )
            for radius in epsilon
        ]
    if labels is not None:
        settings["label"] = _plain(labels)
        several = not isinstance(images, str | Path | Image.Image | Picture)
        count = 1 if getattr(images, "ndim", 4) < 4 else len(images) if several else None
        if count is not None and len(settings["label"]) != count:
            raise InputError(
                f"labels: {len(settings['label'])} labels and {count} images; give one for each."
            )
    if target is not None:
        settings["target"] = target if isinstance(target, str | int) else _plain(target)
    ball = {"epsilon": epsilon, "norm": norm}
    encoding = {name: value for name, value in ball.items() if value is not None}
    if encoding:
        settings["encoding"] = {**encoding, **settings.get("encoding", {})}
    single = isinstance(images, Tensor | np.ndarray) and images.ndim == 3
    return run(method, network=network, images=images[None] if single else images, **settings)


def _plain(labels: Labels) -> list[int | str]:
    if isinstance(labels, Tensor | np.ndarray):
        return [int(label) for label in torch.as_tensor(labels).reshape(-1)]
    return list(labels)
