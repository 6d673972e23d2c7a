"""Pixel coordinates as the inputs of a compositional pattern-producing network (CPPN)."""

from __future__ import annotations

import torch
from torch import Tensor

INPUTS = 4


def points_of(size: tuple[int, int], device: torch.device) -> Tensor:
    """The inputs at the centre of each pixel, [4, height * width].

    They are x, y, the distance from the centre of the image, and the constant 1. The shorter
    side spans -1 to 1, so that a circle stays a circle at any aspect ratio.
    """
    height, width = size
    short = min(height, width)
    y = (torch.arange(height, device=device) * 2 + 1 - height)[:, None] / short
    x = (torch.arange(width, device=device) * 2 + 1 - width)[None] / short
    x, y = torch.broadcast_tensors(x, y)
    return torch.stack([x, y, (x.square() + y.square()).sqrt(), torch.ones_like(x)]).flatten(1)
