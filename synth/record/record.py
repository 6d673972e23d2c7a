"""The record of a run: what a job writes to while it runs, a folder or memory.

`FolderRecord` in folder_record.py writes the run folder; `MemoryRecord` in memory_record.py keeps
everything in memory, for use from Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from synth.errors import InputError
from synth.record.result import Json, Result


class Record(ABC):
    """Pictures, steps, tensors and checkpoints of a run.

    Attributes:
        part: name of the experiment where it is one of several; its lines of steps are marked.
        first: number of the first image.
    """

    part: str | None = None
    first: int = 0

    def _marked(self, line: Mapping[str, Json]) -> dict[str, Json]:
        """A record of a step, with the experiment where there are several."""
        return {**line, "contender": self.part} if self.part else dict(line)

    def _picture_name(self, number: int, folder: str) -> str:
        """The path of an image within the run folder."""
        return f"{folder}/{self.first + number:03d}.png"

    def _tensors_name(self, name: str) -> str:
        """The file of some tensors, marked with the experiment where there are several."""
        return f"{name}_{self.part}.safetensors" if self.part else f"{name}.safetensors"

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The run folder, for jobs that write files of their own there."""

    @property
    @abstractmethod
    def resumable(self) -> bool:
        """Whether an interrupted run can go on later from here."""

    @abstractmethod
    def of(self, part: str, first: int) -> Record:
        """The share of the experiment `part`, whose images are numbered from `first`."""

    @abstractmethod
    def steps(self, lines: Sequence[Mapping[str, Json]]) -> None:
        """Appends records to the steps, marked with the experiment where there are several."""

    @abstractmethod
    def report(self, lines: Sequence[Mapping[str, Json]]) -> None:
        """Shows records of steps where the user asked for it, for a job that keeps them itself."""

    @abstractmethod
    def read_steps(self) -> list[dict[str, Json]]:
        """The records of the steps so far, of this experiment alone where it is one of several."""

    @abstractmethod
    def picture(
        self, number: int, image: Tensor, about: Mapping[str, Json], folder: str = "images"
    ) -> str:
        """Saves an image with 8 bits a channel.

        Args:
            number: its number, counted from the first of this record.
            image: float32 [3, h, w], RGB in [0, 1].
            about: its provenance, saved with it.
            folder: folder within the run folder.

        Returns:
            The path within the run folder.
        """

    @abstractmethod
    def read_back(self, name: str) -> Tensor:
        """A saved image as it was saved: [3, h, w], RGB in [0, 1], of 256 levels."""

    @abstractmethod
    def tensors(self, name: str, tensors: Mapping[str, Tensor]) -> str:
        """Saves tensors as NAME.safetensors, marked with the experiment; gives the file's name."""

    @abstractmethod
    def read_tensors(self, name: str) -> dict[str, Tensor]:
        """Tensors that were saved as `name`, of this experiment where it is one of several.

        Raises:
            InputError: where their file is gone or damaged.
        """

    @abstractmethod
    def keep(self, name: str, content: bytes) -> None:
        """Saves `content` as the file `name` of the run folder, atomically."""

    @abstractmethod
    def keep_part_result(self, result: Result) -> None:
        """Keeps the result of one experiment until the whole comparison is finished."""

    @abstractmethod
    def part_result(self) -> Result | None:
        """The result of this experiment from an earlier attempt; None if it has to run.

        It runs again where its file is damaged, which is logged, or one of its images is gone.
        """

    @abstractmethod
    def checkpoint(self, tensors: Mapping[str, Tensor], about: Mapping[str, Json]) -> None:
        """Saves the state of a running search: named tensors and a JSON record."""

    @abstractmethod
    def resume(self) -> tuple[dict[str, Tensor], dict[str, Json]] | None:
        """The newest checkpoint, with the steps cut back to that moment.

        Returns:
            Its tensors and its JSON record; None where there is nothing to resume.

        Raises:
            InputError: where it belongs to another configuration, naming the first difference.
        """

    @abstractmethod
    def malformed(self) -> InputError:
        """The error for a checkpoint from which no state of this run can be built."""


def versions() -> dict[str, str]:
    """The versions of the packages that decide what a run draws."""
    from synth import __version__

    return {"synth": __version__, "torch": torch.__version__}
