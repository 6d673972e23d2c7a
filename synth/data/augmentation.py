"""Takes pictures and which of them make a batch; gives that batch, shifted and mirrored at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """Random crops out of a reflected border, and mirror images: Krizhevsky et al. 2012, section 4.1.

    Both are draws of *which pixel goes where*, so a whole batch is one gather and no border is ever built.
    The draws do not depend on each other: switching one off leaves the other's as they were.

    Args:
        crop: width in pixels of the border that is reflected around a picture before a window of the
            picture's own size is cut out of it, at one of ``(2 crop + 1)^2`` places; 0 switches it off.
        mirror: whether half of the pictures, on average, are turned left to right.
    """

    crop: int = 0
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise InputError(f"crop={self.crop}: a width in pixels, 0 or more.")

    def __call__(self, pictures: Tensor, batch: Tensor, generator: torch.Generator) -> Tensor:
        """The batch ``[b, 3, h, w]`` (channels_last) of `pictures` ``[n, 3, h, w]`` at the indices `batch`.

        `generator` lives on the CPU. The values are those of `pictures`, whatever their type: nothing is
        blended.

        Raises:
            InputError: when the border is not narrower than the picture, so that it could not be reflected.
        """
        height, width = pictures.shape[-2:]
        if self.crop >= min(height, width):
            raise InputError(
                f"crop={self.crop}: must be below the side of the pictures, {min(height, width)} pixels."
            )
        count, device = len(batch), pictures.device
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
    """Positions below 0 or from `length` on are mirrored at the outermost pixel, which is not repeated."""
    position = position.abs()
    return torch.where(position >= length, 2 * (length - 1) - position, position)
