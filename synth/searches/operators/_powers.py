"""Takes numbers of 0 or more and an exponent; gives the powers, each the same wherever it stands in its tensor."""

from __future__ import annotations

from torch import Tensor


def power_(base: Tensor, exponent: float) -> Tensor:
    """`base` to the `exponent`, not 0, in place.

    `torch.pow` rounds the last few numbers of a tensor otherwise than the rest, so that an item would not be
    bit-equal alone and in a batch; logarithm and exponential do not.
    """
    return base.log_().mul_(exponent).exp_()
