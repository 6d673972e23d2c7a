"""Training sets without anything to learn: random labels, shuffled and random pixels, noise.

The randomisation test of Zhang et al. 2017, section 2.1. Shuffled pixels: one permutation of the
places for all pictures, of training and validation. Random pixels: another one for each picture.
Gaussian: noise of the mean and deviation of the training pictures, channel by channel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core.randomness import key_of
from synth.errors import InputError, nearest

PIXELS = ("plain", "shuffled", "random", "gaussian")


def check_pixels(kind: str, word: str = "pixels") -> str:
    """The name of a corruption, one of `PIXELS`.

    Raises:
        InputError: another word.
    """
    if kind not in PIXELS:
        hint = nearest(kind, PIXELS) or f" Write {', '.join(PIXELS[:-1])} or {PIXELS[-1]}."
        raise InputError(f"{word}={kind}: no such pixels.{hint}")
    return kind


def corrupt_pixels(pictures: Tensor, kind: str, like: Tensor, seed: int, part: str) -> Tensor:
    """Pictures without what makes them pictures.

    Args:
        pictures: uint8 [n, 3, h, w].
        kind: one of `PIXELS`; ``plain`` leaves them as they are.
        like: the training pictures, whose mean and deviation ``gaussian`` noise has.
        seed: of the permutation and of the noise.
        part: name of the set of pictures, which has draws of its own but for ``shuffled``.

    Returns:
        uint8 [n, 3, h, w], in channels-last format.
    """
    if kind == "plain":
        return pictures
    count, channels, height, width = pictures.shape
    generator = torch.Generator().manual_seed(
        key_of(seed, "pixels", "all" if kind == "shuffled" else part)
    )
    if kind == "gaussian":
        values = like.float()
        mean, std = values.mean((0, 2, 3)), values.std((0, 2, 3))
        noise = torch.randn(pictures.shape, generator=generator)
        corrupt = noise * std[:, None, None] + mean[:, None, None]
        corrupt = corrupt.round_().clamp_(0, 255).to(torch.uint8)
    else:
        draws = torch.rand(1 if kind == "shuffled" else count, height * width, generator=generator)
        places = draws.argsort(1)[:, None].expand(count, channels, -1)
        corrupt = pictures.flatten(2).gather(2, places).view(pictures.shape)
    return corrupt.contiguous(memory_format=torch.channels_last)


def shuffle_labels(labels: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Permutes a random part of the labels among themselves.

    Args:
        labels: int64 ``[n]``.
        fraction: of them, in [0, 1]; about ``1/classes`` of these stay right by chance.
        generator: draws which, and the permutation.
    """
    chosen = torch.randperm(len(labels), generator=generator)[: round(fraction * len(labels))]
    shuffled = labels.clone()
    shuffled[chosen] = labels[chosen[torch.randperm(len(chosen), generator=generator)]]
    return shuffled
