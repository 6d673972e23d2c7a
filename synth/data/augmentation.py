"""Data augmentation of training batches: random crops and mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """Random crops of reflection-padded images, and mirroring: Krizhevsky et al. 2012, section 4.1.

    Both only decide which pixel goes where, so a whole batch is one gather and no padding is built.
    Their draws are independent: switching one off leaves the other's as they were.

    Args:
        crop: width in pixels of the reflected border from which a window of the image's own size is
            cut, at one of ``(2 crop + 1)^2`` places; 0 switches it off.
        mirror: whether each image is mirrored left to right with probability 1/2.

    Raises:
        InputError: a negative `crop`.
    """

    crop: int = 0
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise InputError(f"crop={self.crop}: a width in pixels, 0 or more.")

    def __call__(self, pictures: Tensor, batch: Tensor, generator: torch.Generator) -> Tensor:
        """An augmented batch [b, 3, h, w], in channels-last format.

        Args:
            pictures: [n, 3, h, w] of any dtype; pixels are moved, never blended.
            batch: indices of the pictures in the batch, int64 [b].
            generator: draws the random numbers, on the CPU.

        Raises:
            InputError: the border is not narrower than the images, so it cannot be reflected.
        """
        height, width = pictures.shape[-2:]
        if self.crop >= min(height, width):
            raise InputError(
                f"crop={self.crop}: must be below the side of the pictures, "
                f"{min(height, width)} pixels."
            )
        count = len(batch)
        device = pictures.device
        shifts = torch.randint(-self.crop, self.crop + 1, (2, count, 1), generator=generator)
        flips = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.arange(width)
        if self.mirror:
            columns = torch.where(flips, width - 1 - columns, columns)
        down = _reflect(torch.arange(height) + shifts[0], height).to(device, non_blocking=True)
        across = _reflect(columns + shifts[1], width).to(device, non_blocking=True)
        rows = batch.to(device, non_blocking=True)
        pixels = pictures.permute(0, 2, 3, 1)
        return pixels[rows[:, None, None], down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)


def _reflect(position: Tensor, length: int) -> Tensor:
    """Positions outside of [0, length) mirrored at the outermost pixel, which is not repeated."""
    position = position.abs()
    return torch.where(position >= length, 2 * (length - 1) - position, position)
