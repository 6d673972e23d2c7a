"""What a search found, in memory: the return value of `Experiment.search`."""

from __future__ import annotations

from dataclasses import dataclass

from synth.core import Images, Rows
from synth.engine.fitness import ImageProblem
from synth.engine.state import RunState


@dataclass(frozen=True)
class SearchResult:
    """The result of a search, in memory.

    Attributes:
        problem: encoding, transform, network and objective.
        rows: one an item.
        state: genomes, scores, passes and the rest of the final state.
        interrupted: whether Ctrl-C ended it before all items were finished.
    """

    problem: ImageProblem
    rows: Rows
    state: RunState
    interrupted: bool = False

    @property
    def images(self) -> Images:
        """The images of the genomes, [n * k, 3, h, w], RGB in [0, 1]; k is 1 for most encodings."""
        return self.problem.images(self.state.genome, self.rows)
