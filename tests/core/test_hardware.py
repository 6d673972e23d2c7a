"""Which errors say that memory ran out; each is one that the library raises itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from synth.core.hardware import is_out_of_memory

EXBIBYTE = 1 << 60


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(EXBIBYTE),
        lambda: torch.empty(1 << 63),
        lambda: torch.zeros(1).expand(EXBIBYTE).clone(),
        lambda: torch.zeros(1 << 31, 1 << 31, 1 << 31),
        lambda: torch.zeros(1, dtype=torch.int64).repeat_interleave(EXBIBYTE),
        lambda: np.zeros(EXBIBYTE),
        lambda: bytearray(EXBIBYTE),
        lambda: [0] * EXBIBYTE,
    ],
)
def test_more_than_there_is(allocate: Callable[[], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError, ValueError, TypeError)) as error:
        allocate()
    assert is_out_of_memory(error.value), repr(error.value)


def test_other_errors_and_those_of_a_gpu() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not is_out_of_memory(RuntimeError("size mismatch"))
    assert not is_out_of_memory(OSError("out of memory"))
