"""Learning rate schedules: the factor on the base rate as a function of progress alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


class Schedule(ABC):
    """A function without state: a resumed training has the rates of an uninterrupted one.

    Attributes:
        warmup: fraction of the training in which the rate rises.
    """

    warmup: float = 0.0

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
    """The one-cycle policy: up to the base rate along a half cosine, then down along another.

    Source: Smith and Topin 2018, with cosines in place of straight lines and without the cycle of
    the momentum, as in ``torch.optim.lr_scheduler.OneCycleLR(cycle_momentum=False)``.

    Args:
        warmup: fraction of the training in which the rate rises, in (0, 1).
        start: factor at the beginning.
        end: factor at the end.
    """

    warmup: float = 0.2
    start: float = 0.1
    end: float = 1e-4

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return _cosine(self.start, 1.0, progress / self.warmup)
        return _cosine(1.0, self.end, (progress - self.warmup) / (1 - self.warmup))


def _cosine(first: float, last: float, share: float) -> float:
    """From `first` to `last` along a half cosine, at `share` in [0, 1] of the way."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
