"""A split of pictures into a training set and a held-out set, by a hash of their names.

The same arguments give the same split anywhere: an encoding that is optimised on the training set,
an objective that reads what a network predicts for it, and a metric that is measured on the
held-out set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from synth import data
from synth.core.randomness import key_of
from synth.errors import InputError


@dataclass(frozen=True)
class Split:
    """Both parts of a split, as 8-bit RGB.

    Args:
        train: uint8 [n, 3, h, w].
        held_out: uint8 [m, 3, h, w], m 0 or more.
    """

    train: Tensor
    held_out: Tensor


class HeldOutSplit:
    """Pictures split into a training set and a held-out set.

    A hash of the seed, the folder and the file name decides on which side a picture is: the same on
    every machine and for every size, and one more picture moves at most one other across.

    Args:
        images: a folder, a glob, or a list of paths.
        holdout: how many pictures to hold out, or below 1 which share of them.
        seed: gives other splits.
        word: what needs many pictures, for the error message.

    Raises:
        InputError: no images, or a `holdout` that is neither a number of pictures nor a share.
    """

    def __init__(
        self,
        images: data.Sources | None,
        holdout: float = 0,
        seed: int = 0,
        word: str = "a universal perturbation",
    ) -> None:
        if images is None or not images:
            raise InputError(f"images: {word} is for many pictures; write images=FOLDER.")
        if holdout < 0 or (holdout >= 1 and holdout != int(holdout)):
            raise InputError(
                f"holdout={holdout}: write how many pictures to keep aside, or a share below 1."
            )
        # in a form by which `_read` can remember them
        self.images: str | tuple[data.Source, ...] = (
            tuple(images)
            if isinstance(images, Sequence) and not isinstance(images, str)
            else (images,)
            if isinstance(images, data.Picture)
            else str(images)
        )
        self.holdout = holdout
        self.seed = seed

    def at(self, size: tuple[int, int]) -> Split:
        """Both parts at `size` (height, width).

        Raises:
            InputError: the training set, or a held-out set that was asked for, is empty.
        """
        pixels, names = _read(self.images, size)
        total = len(names)
        count = round(self.holdout * total) if self.holdout < 1 else int(self.holdout)
        if count >= total or (self.holdout > 0 and count == 0):
            raise InputError(
                f"holdout={self.holdout}: of {total} pictures this keeps {count} aside; write a "
                f"number below {total}, 0 for none, or name more images."
            )
        order = sorted(range(total), key=lambda place: key_of(self.seed, names[place]))
        held_out = torch.tensor(sorted(order[:count]), dtype=torch.int64)
        train = torch.tensor(sorted(order[count:]), dtype=torch.int64)
        return Split(pixels[train], pixels[held_out])


@lru_cache(maxsize=2)
def _read(
    images: str | tuple[data.Source, ...], size: tuple[int, int]
) -> tuple[Tensor, tuple[str, ...]]:
    """All pictures at `size`, uint8 [n, 3, h, w], and a unique name for each; cached."""
    pictures = data.pictures(images)
    pixels = torch.stack(
        [picture.at(size).mul(255.0).round_().to(torch.uint8) for picture in pictures]
    )
    counts: Counter[str] = Counter()
    names = []
    for picture in pictures:
        name = f"{picture.folder}/{picture.name}"
        names.append(f"{name}:{counts[name]}")
        counts[name] += 1
    return pixels, tuple(names)
