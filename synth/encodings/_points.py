"""What a painter is told of each point of a picture: where it lies."""

from __future__ import annotations

import torch
from torch import Tensor

INPUTS = 4


def points_of(size: tuple[int, int], device: torch.device) -> Tensor:
    """x, y, the distance from the centre and 1 at the middle of each pixel: [4, height * width].

    The shorter side goes from -1 to 1, so that a circle is a circle in a picture of any shape.
    """
    height, width = size
    short = min(height, width)
    y = (torch.arange(height, device=device) * 2 + 1 - height)[:, None] / short
    x = (torch.arange(width, device=device) * 2 + 1 - width)[None] / short
    x, y = torch.broadcast_tensors(x, y)
    return torch.stack([x, y, (x.square() + y.square()).sqrt(), torch.ones_like(x)]).flatten(1)
