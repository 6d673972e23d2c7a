"""The record of a run in memory: the same pictures, steps and tensors as in a run folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from synth import data
from synth.errors import InputError
from synth.record.record import Record
from synth.record.result import Json, Result


class MemoryRecord(Record):
    """Keeps what a run folder would hold; nothing is resumed.

    Jobs that write files of their own, such as films and trainings, get a temporary folder, which
    is removed with the record.

    Attributes:
        pictures: by path within the run folder, uint8 [3, h, w] and the provenance.
        lines: of steps.jsonl.
        saved_tensors: by the name of their file, and in it by name.
        files: contents of other files, by name.

    Args:
        part: name of the experiment where it is one of several.
        first: number of the first image.
        whole: the record that this one is a share of.
    """

    def __init__(
        self, part: str | None = None, first: int = 0, whole: MemoryRecord | None = None
    ) -> None:
        self.part = part
        self.first = first
        self.whole = whole
        # a share writes to what it is a share of
        self.pictures: dict[str, tuple[Tensor, dict[str, Json]]] = whole.pictures if whole else {}
        self.lines: list[dict[str, Json]] = whole.lines if whole else []
        self.saved_tensors: dict[str, dict[str, Tensor]] = whole.saved_tensors if whole else {}
        self.files: dict[str, bytes] = whole.files if whole else {}

    @property
    def folder(self) -> Path:
        return self.whole.folder if self.whole else self._temporary

    @cached_property
    def _temporary(self) -> Path:
        folder = tempfile.mkdtemp(prefix="synth-")
        # at the latest when Python ends; without the warning of tempfile.TemporaryDirectory
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    @property
    def written_files(self) -> list[Path]:
        """The files in the temporary folder, as paths within it."""
        if "_temporary" not in self.__dict__:
            return []
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [path.relative_to(self.folder) for path in paths]

    @property
    def resumable(self) -> bool:
        return False

    def of(self, part: str, first: int) -> MemoryRecord:
        return MemoryRecord(part, first, self)

    def steps(self, lines: Sequence[Mapping[str, Json]]) -> None:
        self.lines.extend(map(self._marked, lines))

    def report(self, lines: Sequence[Mapping[str, Json]]) -> None:
        pass

    def read_steps(self) -> list[dict[str, Json]]:
        return [line for line in self.lines if line.get("contender") == self.part]

    def picture(
        self, number: int, image: Tensor, about: Mapping[str, Json], folder: str = "images"
    ) -> str:
        name = self._picture_name(number, folder)
        self.pictures[name] = (data.levels(image), dict(about))
        return name

    def read_back(self, name: str) -> Tensor:
        return self.pictures[name][0].float().div_(255.0)

    def tensors(self, name: str, tensors: Mapping[str, Tensor]) -> str:
        file = self._tensors_name(name)
        self.saved_tensors[file] = {key: value.detach().cpu() for key, value in tensors.items()}
        return file

    def read_tensors(self, name: str) -> dict[str, Tensor]:
        return self.saved_tensors[self._tensors_name(name)]

    def keep(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def keep_part_result(self, result: Result) -> None:
        pass

    def part_result(self) -> Result | None:
        return None

    def checkpoint(self, tensors: Mapping[str, Tensor], about: Mapping[str, Json]) -> None:
        pass

    def resume(self) -> tuple[dict[str, Tensor], dict[str, Json]] | None:
        return None

    def malformed(self) -> InputError:
        return InputError("the checkpoint holds no state of this run.")
