"""Random crops of an image, and padding with grey, their counterpart."""

from __future__ import annotations

import torch
from torch.nn import functional

from synth.core import Images, Rows, Transform
from synth.errors import InputError


class Crop(Transform):
    """A crop at a random position, different for each row.

    Images [n, 3, h, w] become [n, 3, h - margin, w - margin], so the network must read that size.

    Args:
        margin: by how many pixels the crop is smaller along each side, 0 or more.

    Raises:
        InputError: for a negative margin, and (from the call) for one that leaves nothing.
    """

    def __init__(self, margin: int = 16) -> None:
        if margin < 0:
            raise InputError(f"transform.crop.margin={margin}: write 0 or more pixels.")
        self.margin = margin

    def __call__(self, images: Images, rows: Rows) -> Images:
        height = images.shape[2] - self.margin
        width = images.shape[3] - self.margin
        if min(height, width) < 1:
            size = f"{images.shape[2]}x{images.shape[3]}"
            raise InputError(
                f"transform.margin={self.margin}: leaves nothing of pictures of {size}; write less."
            )
        corner = (rows.uniform(2) * (self.margin + 1)).long()
        down = corner[:, :1] + torch.arange(height, device=images.device)
        right = corner[:, 1:] + torch.arange(width, device=images.device)
        index = torch.arange(len(images), device=images.device)[:, None, None]
        pixels = images.permute(0, 2, 3, 1)[index, down[:, :, None], right[:, None, :]]
        return pixels.permute(0, 3, 1, 2)


class Pad(Transform):
    """A border of uniform grey, so that shifts and rotations bring in grey rather than an edge.

    Args:
        pixels: width of the border on each side, 0 or more.
        grey: its value, in [0, 1].

    Raises:
        InputError: for values outside these ranges.
    """

    stochastic = False

    def __init__(self, pixels: int = 12, grey: float = 0.5) -> None:
        if pixels < 0 or not 0 <= grey <= 1:
            raise InputError(
                f"transform.pad: pixels={pixels}, grey={grey}; "
                "write pixels >= 0 and grey in [0, 1]."
            )
        self.pixels = pixels
        self.grey = grey

    def __call__(self, images: Images, rows: Rows) -> Images:
        return functional.pad(images, (self.pixels,) * 4, value=self.grey)
