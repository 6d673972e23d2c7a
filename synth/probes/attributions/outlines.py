"""Outlines of masks on images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def outlined(
    image: Float[Tensor, "3 h w"], mask: Tensor, colour: Sequence[float], side: int
) -> Float[Tensor, "3 h2 w2"]:
    """The image with the border of a mask, enlarged by a whole factor where it is small.

    Args:
        image: in [0, 1], of the size of the mask or enlarged already.
        mask: bool [h, w].
        colour: of the line, three numbers in [0, 1].
        side: pixels that the enlarged image may have; lines are thin beside large pixels.
    """
    times = max(1, side // max(mask.shape))
    reach = min(times, 2)
    inside = _enlarged(mask.float()[None, None], times)
    enlarged = _enlarged(image, times) if image.shape[1:] == mask.shape else image
    grown = functional.max_pool2d(inside, 2 * reach + 1, 1, reach)
    shrunk = 1 - functional.max_pool2d(1 - inside, 2 * reach + 1, 1, reach)
    line = image.new_tensor(colour)[:, None, None]
    return torch.where((grown != shrunk)[0], line, enlarged)


def _enlarged(values: Tensor, times: int) -> Tensor:
    return values.repeat_interleave(times, -2).repeat_interleave(times, -1)
