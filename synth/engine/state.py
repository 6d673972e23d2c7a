"""What is known of a run so far: every item's best, what it cost, and how the whole went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from synth.core import State

MOMENTS = 256  # columns of a confidence map, at most


@dataclass
class ConfidenceHistory:
    """The watched numbers of all items over the run, at no more than MOMENTS evenly spaced steps."""

    every: int = 1
    moments: list[list[Any]] = field(default_factory=list)  # step, network passes, values

    def note(self, step: int, passes: int, values: Sequence[float]) -> None:
        """Notes the `values` of a step, if it is one that is kept."""
        if step % self.every:
            return
        self.moments.append(
            [step, passes, [round(value, 4) if value != -torch.inf else None for value in values]]
        )
        if len(self.moments) > MOMENTS:
            self.every *= 2
            self.moments = [moment for moment in self.moments if moment[0] % self.every == 0]

    def archive(self, names: Sequence[str], last: Sequence[Any]) -> dict[str, Any]:
        """The course of every item as result.json keeps it, `last` the end of the run; rows are items."""
        moments = (
            [*self.moments, list(last)]
            if not self.moments or self.moments[-1][0] != last[0]
            else self.moments
        )
        return {
            "steps": [moment[0] for moment in moments],
            "evaluations": [moment[1] for moment in moments],
            "names": list(names),
            "confidence": [[moment[2][i] for moment in moments] for i in range(len(names))],
        }


@dataclass
class RunState:
    """What is known of each item so far; in the order of all items, finished or not, but for the search's `state`."""

    genome: Tensor
    state: State
    score: list[float]
    monitor: list[float]
    forwards: list[int]
    backwards: list[int]
    steps: list[int]
    seconds: list[float]
    active: list[int]
    step: int = 0
    elapsed: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)
    births: list[Tensor] = field(default_factory=list)
    history: ConfidenceHistory = field(default_factory=ConfidenceHistory)

    @property
    def mean(self) -> float:
        """The mean watched number; a cell of a map that is empty, at minus infinity, has no share in it."""
        filled = [value for value in self.monitor if value != -math.inf]
        return sum(filled) / max(1, len(filled))

    def said(self, until: float | None) -> str:
        """How far the run is, in a few words."""
        text = f"mean {self.mean:.3g}, best {max(self.monitor):.3g}"
        if until is None:
            return text
        return (
            f"{sum(value >= until for value in self.monitor)} of {len(self.monitor)} there, {text}"
        )

    def numbers(self) -> dict[str, Any]:
        """All but the tensors and the pending lines, as JSON."""
        apart = ("genome", "state", "lines", "births", "history")
        numbers = {name: value for name, value in vars(self).items() if name not in apart}
        return numbers | {"history": vars(self.history)}

    def lineage(self) -> Tensor:
        """All births so far, int64 [b, 4]: item, child, parent, mate."""
        none = torch.zeros(0, 4, dtype=torch.int64)
        self.births = [torch.cat([birth.to("cpu") for birth in self.births] or [none])]
        return self.births[0]
