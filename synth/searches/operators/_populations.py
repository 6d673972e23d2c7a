"""Populations as dicts of tensors [n, p, ...] with ``fitness`` [n, p]: indexing and ranking."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import State


def take(values: Tensor, index: Tensor) -> Tensor:
    """values [n, p, ...] at the positions index [n, m]: [n, m, ...]."""
    count = values.shape[1]
    place = torch.arange(len(values), device=values.device)[:, None] * count + index
    # whole rows are copied; indexing by two tensors copies number by number
    chosen = values.flatten(0, 1).index_select(0, place.flatten())
    return chosen.view(*index.shape, *values.shape[2:])


def ranked(population: State, most: int) -> State:
    """The `most` fittest of each item, fittest first; of equals the earlier stays in front."""
    order = population["fitness"].argsort(dim=1, descending=True, stable=True)[:, :most]
    return {name: take(value, order) for name, value in population.items()}


def fittest(parents: State, count: int, offspring: State, most: int) -> State:
    """The `most` fittest of each item's first `count` parents and all offspring, as `ranked`."""
    fitness = torch.cat([parents["fitness"][:, :count], offspring["fitness"]], dim=1)
    order = fitness.argsort(dim=1, descending=True, stable=True)[:, :most]
    return {
        name: _take_of_two(value[:, :count], offspring[name], order)
        for name, value in parents.items()
    }


def _take_of_two(first: Tensor, second: Tensor, index: Tensor) -> Tensor:
    """`take` of `first` [n, p, ...] and `second` [n, q, ...], one after the other."""
    count = first.shape[1]
    if count == 0 or first.device.type != "cpu":
        return take(torch.cat([first, second], dim=1), index)
    # without a copy of everything; mostly few are of the second
    values = take(first, index.clamp_max(count - 1))
    item, place = (index >= count).nonzero(as_tuple=True)
    values[item, place] = second[item, index[item, place] - count]
    return values
