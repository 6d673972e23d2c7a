"""Operations for which the host has to wait for a GPU, found by name, so that a CPU shows them."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# a number read by the host, or an output whose size depends on values
WAITING = {
    "_local_scalar_dense",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "nonzero_numpy",
    "unique_dim",
    "unique_consecutive",
    "unique_dim_consecutive",
    "_unique",
    "_unique2",
    "bincount",
    "histc",
}


class Waits(TorchDispatchMode):
    """Collects the operations of a block that wait, each with the line of the package it is in.

    Attributes:
        lines: one an operation, ``nonzero at .../genetic.py:340``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in WAITING or _by_mask(name, args) or _repeats(func, kwargs or {}):
            frames = [frame for frame in traceback.extract_stack() if "/synth/" in frame.filename]
            where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "the test"
            self.lines.append(f"{name} at {where}")
        return func(*args, **(kwargs or {}))


def _by_mask(name: str, args: Any) -> bool:
    """An index by a mask, which gives as many rows as it has true values."""
    if name not in ("index", "index_put", "index_put_", "_unsafe_index"):
        return False
    return any(isinstance(index, Tensor) and index.dtype == torch.bool for index in args[1])


def _repeats(func: Any, kwargs: dict[str, Any]) -> bool:
    """``repeat_interleave`` by a tensor of numbers, the size of whose output is not given."""
    return str(func) == "aten.repeat_interleave.Tensor" and kwargs.get("output_size") is None


@contextmanager
def no_waiting(device: str) -> Iterator[None]:
    """A block in which CUDA raises an error where the host waits for it; nothing on a CPU."""
    if device == "cpu":
        yield
        return
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(mode)
