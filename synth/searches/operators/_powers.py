"""Powers of tensors whose bits do not depend on an element's position in its tensor."""

from __future__ import annotations

from torch import Tensor


def power_(base: Tensor, exponent: float) -> Tensor:
    """`base`, 0 or more, to the `exponent`, not 0, in place.

    `torch.pow` rounds the last few elements of a tensor differently (vectorised and scalar code
    differ), so that an item would not be bit-equal alone and in a batch; logarithm and exponential
    do not.
    """
    return base.log_().mul_(exponent).exp_()
