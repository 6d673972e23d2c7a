"""Base classes of metrics and figures, and the search results that both are given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synth.core import Part, Rows
from synth.engine.fitness import ImageProblem
from synth.engine.state import RunState
from synth.record.record import Record
from synth.record.result import Figure, Item, Json


@dataclass(frozen=True)
class Outcome:
    """A finished search and its saved images: the input of metrics and figures.

    Attributes:
        record: the run folder.
        problem: encoding, transform, network and objective.
        rows: one an item of the search.
        state: the final state, with the genomes.
        items: records of the saved images; a metric may add to `Item.extra`.
        figures: pictures of the whole run; a metric may append to it.
    """

    record: Record
    problem: ImageProblem
    rows: Rows
    state: RunState
    items: list[Item]
    figures: list[Figure] = field(default_factory=list)


class Metric(Part):
    """Measures a finished search. Metrics are independent: none reads the findings of another.

    Attributes:
        criterion: what counts as success, in words, where the metric decides it.
    """

    criterion: str | None = None

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        """Raises InputError before the search begins where there is nothing to measure."""

    @abstractmethod
    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        """Findings by name. They replace findings of the same name, those of `summary` too."""


class FigureMaker(Part):
    """Draws a finished search: sheets, films, strips of the whole run."""

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        """Raises InputError before the search begins where there is nothing to draw."""

    @abstractmethod
    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        """Saves the figures in the run folder and returns them with their captions."""
