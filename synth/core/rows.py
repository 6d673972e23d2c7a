"""Rows of a batch: which item each belongs to, and the random key that its draws come from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import randomness


@dataclass(frozen=True)
class Rows:
    """Item and random key of each row of a batch.

    A row finds its target by `item`, never by its position: chunks, populations, finished items
    and line searches all permute and repeat rows.

    Args:
        item: the item of each row, counted from 0, int64 [r].
        key: a random key a row, int64 [r], made from what the item is (seed, target, picture), so
            that an item draws the same numbers alone and in any batch.
    """

    item: Tensor
    key: Tensor
    _identity: Tensor | None = None  # None as long as the keys are the items' own

    def __len__(self) -> int:
        return len(self.item)

    @property
    def identity(self) -> Tensor:
        """The key of each row's item before any `fold_in`: for draws that are fixed for a run."""
        return self.key if self._identity is None else self._identity

    def select(self, index: Tensor | slice) -> Rows:
        """The rows at `index`: a slice, positions or a mask."""
        return Rows(self.item[index], self.key[index], self.identity[index])

    def fold_in(self, number: int) -> Rows:
        """The same rows with an independent random stream for `number` (0 or more).

        One number for each step of a search, or for each purpose within a step; the word is JAX's.
        """
        return Rows(self.item, randomness.fold_in(self.key, number), self.identity)

    def repeat(self, times: int) -> Rows:
        """Each row `times` times, consecutively, with equal draws: candidates of a line search."""
        item, key, identity = (
            part.repeat_interleave(times) for part in (self.item, self.key, self.identity)
        )
        return Rows(item, key, identity)

    def split(self, times: int) -> Rows:
        """Each row `times` times, consecutively, with independent draws: an item's population."""
        rows = self.repeat(times)
        place = torch.arange(len(rows), device=self.key.device) % times
        # negative numbers, so that no individual's stream is that of a step or purpose of its item
        return Rows(rows.item, randomness.fold_in(rows.key, -1 - place), rows.identity)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1): float32 [r, *shape]."""
        return randomness.uniform(self.key, math.prod(shape)).reshape(len(self), *shape)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers: float32 [r, *shape]."""
        return randomness.normal(self.key, math.prod(shape)).reshape(len(self), *shape)
