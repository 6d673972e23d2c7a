"""Observers of a running search: one that does nothing, and one that writes a run folder."""

from __future__ import annotations

import logging
import time

from synth.core import StepReport
from synth.engine.fitness import ImageProblem
from synth.engine.state import RunState
from synth.record.record import Record
from synth.record.result import MALFORMED

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 10.0  # seconds


class Observer:
    """Receives the state of a running search. This base class writes nothing.

    Attributes:
        title: of the progress bar; the name of the search where it is empty.
        begun: a state that was searched elsewhere, from which to go on; None where there is none.
    """

    title: str = ""
    begun: RunState | None = None

    def resume(self) -> RunState | None:
        """The state to resume from; None to begin at step 0."""
        return None

    def report(self, state: RunState, report: StepReport) -> None:
        """Called in every step with the report of the active items, before any is dropped."""

    def step(self, state: RunState) -> None:
        """Called after every step."""

    def flush(self, state: RunState) -> None:
        """Called a few times a second and at the end; may take `state.lines`."""
        state.lines = []

    def checkpoint(self, state: RunState) -> None:
        """Called where the search is interrupted."""


class RecordObserver(Observer):
    """Writes steps.jsonl and checkpoints into a run folder, and resumes from them.

    Args:
        record: the run folder.
        problem: that the search solves; the tensors of a resumed state are moved to the device of
            its network.
        begun: a state that was searched elsewhere; a checkpoint in the folder comes before it.
    """

    def __init__(
        self, record: Record, problem: ImageProblem, begun: RunState | None = None
    ) -> None:
        self.record = record
        self.problem = problem
        self.begun = begun
        self.title = record.part or ""
        self.resumed_seconds = 0.0  # spent before the resume
        self._last = time.monotonic()

    def resume(self) -> RunState | None:
        checkpoint = self.record.resume()
        if checkpoint is None:
            self.resumed_seconds = self.begun.elapsed if self.begun else 0.0
            return self.begun
        tensors, numbers = checkpoint
        precision = numbers.pop("precision", self.problem.precision)
        if precision != self.problem.precision:
            log.warning(
                "begun in %s, which goes on in %s: the pictures will not be those of one precision",
                precision,
                self.problem.precision,
            )
        device = self.problem.network.device
        on_device = {name: tensor.to(device) for name, tensor in tensors.items()}
        try:
            state = RunState.from_checkpoint(on_device, numbers)
        except MALFORMED as error:
            raise self.record.malformed() from error
        self.resumed_seconds = state.elapsed
        return state

    def step(self, state: RunState) -> None:
        if time.monotonic() - self._last > CHECKPOINT_EVERY:
            self.checkpoint(state)
            self._last = time.monotonic()

    def flush(self, state: RunState) -> None:
        self.record.steps(state.lines)
        state.lines = []

    def checkpoint(self, state: RunState) -> None:
        self.flush(state)
        about = state.numbers() | {"precision": self.problem.precision}
        self.record.checkpoint(state.tensors(), about)
