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
