"""Crops: a wide picture searched, a window of it shown to the network; and padding, its counterpart."""

from __future__ import annotations

import torch
from torch.nn import functional

from synth.core import Images, Rows, Transform
from synth.errors import InputError


class Crop(Transform):
    """A window smaller than the picture by `margin` pixels in all, at a random place, each row its own.

    The network sees pictures of (h - margin, w - margin), so it must read that size.
    """

    def __init__(self, margin: int = 16) -> None:
        if margin < 0:
            raise InputError(f"transform.crop.margin={margin}: write 0 or more pixels.")
        self.margin = margin

    def __call__(self, images: Images, rows: Rows) -> Images:
        height, width = images.shape[2] - self.margin, images.shape[3] - self.margin
        if min(height, width) < 1:
            size = f"{images.shape[2]}x{images.shape[3]}"
            raise InputError(
                f"transform.margin={self.margin}: leaves nothing of pictures of {size}; write less."
            )
        corner = (rows.uniform(2) * (self.margin + 1)).long()
        down = corner[:, :1] + torch.arange(height, device=images.device)
        right = corner[:, 1:] + torch.arange(width, device=images.device)
        each = torch.arange(len(images), device=images.device)[:, None, None]
        return images.permute(0, 2, 3, 1)[each, down[:, :, None], right[:, None, :]].permute(
            0, 3, 1, 2
        )


class Pad(Transform):
    """A frame of `pixels` of even `grey` around the picture, so that moves bring in grey and not an edge."""

    stochastic = False

    def __init__(self, pixels: int = 12, grey: float = 0.5) -> None:
        if pixels < 0 or not 0 <= grey <= 1:
            raise InputError(
                f"transform.pad: pixels={pixels}, grey={grey}; write pixels >= 0 and grey in [0, 1]."
            )
        self.pixels, self.grey = pixels, grey

    def __call__(self, images: Images, rows: Rows) -> Images:
        return functional.pad(images, (self.pixels,) * 4, value=self.grey)
