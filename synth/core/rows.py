"""Takes items and their keys; gives the rows of a batch: who each is, and the random numbers that are its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import randomness


@dataclass(frozen=True)
class Rows:
    """Who each row of a batch is: the item it belongs to, and the key that its random numbers come from.

    Rows are tied to their targets by `item`, never by position: chunks, populations, finished items and
    line searches all take rows out of place. `item` [r] counts from 0; `key` [r] is derived from what the
    item is (seed, target, picture), so an item draws the same numbers alone and in any batch.
    """

    item: Tensor
    key: Tensor
    _identity: Tensor | None = None  # None where the keys have not been folded

    def __len__(self) -> int:
        return len(self.item)

    @property
    def identity(self) -> Tensor:
        """The key of each row's item before any fold: for what an item draws once and keeps in every step."""
        return self.key if self._identity is None else self._identity

    def select(self, index: Tensor | slice) -> Rows:
        """The rows at `index` (a slice, positions or a mask)."""
        return Rows(self.item[index], self.key[index], self.identity[index])

    def fold_in(self, number: int) -> Rows:
        """The same rows with a stream of their own for `number` (0 or more): a step, or a purpose within it."""
        return Rows(self.item, randomness.fold_in(self.key, number), self.identity)

    def repeat(self, times: int) -> Rows:
        """Each row `times` times in a run, all drawing alike: the candidates of one line search."""
        item, key, identity = (
            part.repeat_interleave(times) for part in (self.item, self.key, self.identity)
        )
        return Rows(item, key, identity)

    def split(self, times: int) -> Rows:
        """Each row `times` times in a run, each drawing differently: the population of one item."""
        rows = self.repeat(times)
        place = torch.arange(len(rows), device=self.key.device) % times
        # numbers below 0, so that no individual draws what a step or a purpose of its item draws
        return Rows(rows.item, randomness.fold_in(rows.key, -1 - place), rows.identity)

    def uniform(self, *shape: int) -> Tensor:
        """Numbers in [0, 1): float32 [r, *shape]."""
        return randomness.uniform(self.key, _count(shape)).reshape(len(self), *shape)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers: float32 [r, *shape]."""
        return randomness.normal(self.key, _count(shape)).reshape(len(self), *shape)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
