"""State dicts as tensors and JSON: what comes back is equal in value, type and memory layout."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

from synth.training.state import flatten, restore


def round_trip(state: object) -> object:
    tensors, structure = flatten(state, "state")
    return restore(json.loads(json.dumps(structure, allow_nan=False)), tensors)


def assert_same(first: object, second: object) -> None:
    assert type(first) is type(second)
    if isinstance(first, Tensor):
        assert torch.equal(first, second)
        assert (first.dtype, first.stride()) == (second.dtype, second.stride())
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        for entry, other in zip(first, second, strict=True):
            assert_same(entry, other)
    else:
        assert repr(first) == repr(second)


def test_every_kind_of_value() -> None:
    state = {
        "numbers": [0.1 + 0.2, 5e-324, -0.0, math.inf, -math.inf, math.nan, 3, 3.0, 2**70],
        0: {"betas": (0.5, 0.99), "none": None, "yes": True, "text": "é"},
        1: [(), [], {}, ((1,), [2])],
        "tensor": torch.rand(2, 3),
        "channels_last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "kernel": torch.rand(6, 3, 1, 1).to(memory_format=torch.channels_last),
        "transposed": torch.rand(4, 3).T,
    }
    assert_same(round_trip(state), state)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_an_optimiser(kind: type[torch.optim.Optimizer]) -> None:
    """After a step, and with groups; the next step is bit-equal."""
    torch.manual_seed(0)
    module = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    extra = {"momentum": 0.9, "nesterov": True} if kind is torch.optim.SGD else {}
    groups = [{"params": [module.weight], "weight_decay": 0.1}, {"params": [module.bias]}]
    optimiser = kind(groups, lr=0.1, **extra)

    def step() -> dict[str, Tensor]:
        optimiser.zero_grad()
        module(torch.ones(1, 3, 5, 5)).square().sum().backward()
        optimiser.step()
        return {name: value.clone() for name, value in module.state_dict().items()}

    weights = step()
    state = optimiser.state_dict()
    tensors, structure = flatten(state, "sgd")
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    assert_same(restore(structure, tensors), state)
    expected = step()
    module.load_state_dict(weights)
    optimiser.load_state_dict(restore(structure, tensors))
    assert_same(step(), expected)


def test_anything_else_is_named() -> None:
    with pytest.raises(TypeError, match=r"^state/a/1: a set cannot be kept in a checkpoint"):
        flatten({"a": [1, {2}]}, "state")
