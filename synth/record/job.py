"""The abstract base class `Job` of everything that a recipe runs.

An experiment, a comparison, a probe, a training and the rendering of an earlier run are jobs.
"""

from __future__ import annotations

from abc import abstractmethod

from synth.core import Part
from synth.record.record import Record
from synth.record.result import Result


class Job(Part):
    """Built from a recipe by its constructor, which checks everything; `run` does the work."""

    @abstractmethod
    def run(self, record: Record) -> Result:
        """Runs to the end, or resumes what an earlier call left in the folder of `record`.

        Args:
            record: the run folder; images, steps and checkpoints are written as they are made.

        Returns:
            The result; the caller writes it to ``result.json``, last of all.
        """
