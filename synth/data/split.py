"""Takes pictures, how many of them to keep aside, and a seed; gives those to learn from and those to measure on.

Whoever asks with the same words gets the same two parts: an encoding that adds to the pictures, an objective that
wants to know what a network sees in them, a measure that counts on those which neither has looked at.
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

Source = str | Sequence[str] | None
Read = tuple[Tensor, tuple[str, ...]]


@dataclass(frozen=True)
class Split:
    """Pictures in two parts, as 8-bit RGB: `train` uint8 [n, 3, h, w] and `held` uint8 [m, 3, h, w], m 0 or more."""

    train: Tensor
    held_out: Tensor


class HeldOutSplit:
    """`images` (a folder, a glob, a list) in two parts: `holdout` of them kept aside, the others to learn from.

    `holdout` is their number, or below 1 their share. Which ones they are is a hash of `seed`, folder and file name:
    the same on every machine and for every size, and a picture more in the folder moves at most one other across.
    `word` is who asks, for the errors.
    """

    def __init__(
        self,
        images: Source,
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
        self.images: str | tuple[str, ...] = (
            images if isinstance(images, str) else tuple(map(str, images))
        )
        self.holdout, self.seed = holdout, seed

    def at(self, size: tuple[int, int]) -> Split:
        """Both parts at `size` (height, width). Raises InputError where nothing is left to learn from."""
        pixels, names = _read(self.images, size)
        total = len(names)
        count = round(self.holdout * total) if self.holdout < 1 else int(self.holdout)
        if count >= total or (self.holdout > 0 and count == 0):
            raise InputError(
                f"holdout={self.holdout}: of {total} pictures this keeps {count} aside; write a number below "
                f"{total}, 0 for none, or name more images."
            )
        order = sorted(range(total), key=lambda place: key_of(self.seed, names[place]))
        held, train = (
            torch.tensor(sorted(part), dtype=torch.int64) for part in (order[:count], order[count:])
        )
        return Split(pixels[train], pixels[held])


@lru_cache(maxsize=2)
def _read(images: str | tuple[str, ...], size: tuple[int, int]) -> Read:
    """All pictures at `size` in 8 bits, read once for everyone who asks, and what each is called."""
    pictures = data.pictures(images)
    pixels = torch.stack(
        [picture.at(size).mul(255.0).round_().to(torch.uint8) for picture in pictures]
    )
    seen: Counter[str] = Counter()
    names = []
    for picture in pictures:
        name = f"{picture.folder}/{picture.name}"
        names.append(f"{name}:{seen[name]}")
        seen[name] += 1
    return pixels, tuple(names)
