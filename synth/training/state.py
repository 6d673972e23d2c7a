"""Nested state dicts (of modules, of optimisers) as named tensors and JSON, and back, bit-equal.

`flatten` takes what ``state_dict()`` gives: dicts with string or integer keys, lists, tuples,
tensors, numbers, strings, None. JSON alone would turn integer keys into strings and tuples into
lists, so each container is stored with its kind: ``{"dict": [[key, value], ...]}``,
``{"list": [...]}``, ``{"tuple": [...]}``, ``{"tensor": name}``, ``{"float": "nan"}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

State = Any  # a tensor, number, string or None, or a dict, list or tuple of states
Structure = Any  # the same as JSON, with the names of tensors in place of tensors


def flatten(state: State, name: str) -> tuple[dict[str, Tensor], Structure]:
    """Takes the tensors out of `state`.

    Args:
        state: see the module.
        name: what the names of the tensors begin with: ``task/optimisers/sgd/state/0/...``.

    Returns:
        The tensors by name, and the rest as plain JSON values.

    Raises:
        TypeError: for a value of any other type, naming its place.
    """
    tensors: dict[str, Tensor] = {}
    return tensors, _encode(state, name, tensors)


def restore(structure: Structure, tensors: Mapping[str, Tensor]) -> State:
    """The state that `flatten` took apart; its tensors have their strides again."""
    if not isinstance(structure, dict):
        return structure
    ((kind, value),) = structure.items()
    if kind == "dict":
        return {key: restore(entry, tensors) for key, entry in value}
    if kind == "list":
        return [restore(entry, tensors) for entry in value]
    if kind == "tuple":
        return tuple(restore(entry, tensors) for entry in value)
    if kind == "float":
        return float(value)
    return _strided(tensors[value["name"]], value.get("stride"))


def _encode(state: State, name: str, tensors: dict[str, Tensor]) -> Structure:
    if isinstance(state, Tensor):
        assert name not in tensors, f"{name}: two tensors of one name"
        tensors[name] = state
        plain = torch.empty(state.shape, device="meta").stride()
        stride = {} if state.stride() == plain else {"stride": list(state.stride())}
        return {"tensor": {"name": name, **stride}}
    if isinstance(state, Mapping):
        entries = state.items()
        return {"dict": [[key, _encode(entry, f"{name}/{key}", tensors)] for key, entry in entries]}
    if isinstance(state, (list, tuple)):
        parts = [_encode(entry, f"{name}/{place}", tensors) for place, entry in enumerate(state)]
        return {"tuple" if isinstance(state, tuple) else "list": parts}
    if isinstance(state, float) and not math.isfinite(state):
        return {"float": repr(state)}
    if state is None or isinstance(state, (bool, int, float, str)):
        return state
    raise TypeError(f"{name}: a {type(state).__name__} cannot be kept in a checkpoint")


def _strided(tensor: Tensor, stride: list[int] | None) -> Tensor:
    """`tensor` in the memory layout that it was saved from, since kernels may round by layout."""
    if stride is None:
        return tensor
    return torch.empty_strided(tensor.shape, stride, dtype=tensor.dtype).copy_(tensor)
