"""Takes how far a training is, from 0 to 1; gives the factor on its learning rate. There is no state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


class Schedule(ABC):
    """A function of progress alone: the same after a resume as without one."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The factor on the base rate at `progress` in [0, 1]."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The base rate throughout."""

    def __call__(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up along a half cosine from `start` to 1 in the first `warmup` of the time, then down along another to
    `end`.

    Smith and Topin 2018, with cosines in place of straight lines and without the cycle of the momentum, as in
    ``torch.optim.lr_scheduler.OneCycleLR(cycle_momentum=False)``.
    """

    warmup: float = 0.2
    start: float = 0.1
    end: float = 1e-4

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return _cosine(self.start, 1.0, progress / self.warmup)
        return _cosine(1.0, self.end, (progress - self.warmup) / (1 - self.warmup))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
