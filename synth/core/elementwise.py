"""Elementwise choices without a branch an element: fast on a CPU where a mask is random."""

from __future__ import annotations

import torch
from torch import Tensor

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes


def where(mask: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """`torch.where` of tensors of one shape and dtype, to the bit.

    torch's own has a branch an element on a CPU, which a random mask makes mispredict; this one
    moves bits and is about four times as fast there.

    Args:
        mask: bool, or broadcast to the shape of the others.
        first: where `mask` is True.
        second: elsewhere.
    """
    if first.device.type != "cpu":
        return torch.where(mask, first, second)
    kind = _INTEGERS[first.element_size()]
    base = second.view(kind)
    moved = (first.view(kind) ^ base).bitwise_and_(mask.to(kind).neg_())
    return moved.bitwise_xor_(base).view(first.dtype)


def exchange_(first: Tensor, second: Tensor, mask: Tensor) -> None:
    """Exchanges the elements of two tensors of one shape and dtype where `mask` is True, in place.

    `mask` is bool, or broadcasts to their shape.
    """
    kind = _INTEGERS[first.element_size()]
    first, second = first.view(kind), second.view(kind)
    moved = (first ^ second).bitwise_and_(mask.to(kind).neg_())
    first.bitwise_xor_(moved)
    second.bitwise_xor_(moved)
