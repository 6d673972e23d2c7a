"""What a measure is: a look at what a search found, which adds to the findings of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synth.core import Rows
from synth.engine.fitness import ImageProblem
from synth.engine.state import RunState
from synth.record.record import Record


@dataclass(frozen=True)
class Outcome:
    """A search that has ended: where it is kept, the problem, its items and their course, and the saved pictures.

    `items` are the records of the saved pictures; a measure may add to each.
    """

    record: Record
    problem: ImageProblem
    rows: Rows
    course: RunState
    items: list[dict[str, Any]]


class Metric(ABC):
    """Looks at an `Outcome` and adds findings. Kinds stay apart, so what needs several of them together is one."""

    def check(self, problem: ImageProblem, rows: Rows) -> None:  # noqa: B027
        """Raises InputError before the run begins where there is nothing to measure."""

    @abstractmethod
    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        """Findings by name; under ``figures`` a list of ``{"file", "caption"}`` for pictures of the whole run."""
