"""Choices without branches against torch's own, to the bit and for every kind of number."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from synth.core.elementwise import exchange_, where

DTYPES = (torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool)


def pair(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Two tensors of every second row of a larger one, with numbers that arithmetic would lose."""
    draws = torch.randint(0, 2, (8, 37), generator=torch.Generator().manual_seed(0)).to(dtype)
    if dtype.is_floating_point:
        draws[:, :4] = torch.tensor([math.inf, -0.0, 1e-42, math.nan], dtype=dtype)
    return draws[::2], draws[1::2]


def bits(values: Tensor) -> list[int]:
    return values.contiguous().view(torch.uint8).flatten().tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_is_that_of_torch(dtype: torch.dtype) -> None:
    first, second = pair(dtype)
    for mask in (torch.rand(4, 37) < 0.5, torch.rand(37) < 0.5):
        assert bits(where(mask, first, second)) == bits(torch.where(mask, first, second))


@pytest.mark.parametrize("dtype", DTYPES)
def test_exchange_swaps_where_the_mask_is_true(dtype: torch.dtype) -> None:
    first, second = pair(dtype)
    mask = torch.rand(4, 1) < 0.5
    expected = [torch.where(mask, second, first), torch.where(mask, first, second)]
    exchange_(first, second, mask)
    assert [bits(first), bits(second)] == [bits(value) for value in expected]
