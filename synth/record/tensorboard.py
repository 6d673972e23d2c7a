"""Steps as TensorBoard shows them: event files in the folder ``tensorboard`` of a run.

Each experiment of a comparison has a folder of its own there, so that TensorBoard draws their
curves over each other. ``steps.jsonl`` stays the record; nothing reads the event files back.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.errors import InputError
from synth.record.result import Json

FOLDER = "tensorboard"
CHOICES = (None, "tensorboard")


class EventFiles:
    """A context in which the numbers of steps are written to event files as well.

    Args:
        folder: the run folder.
        log: ``tensorboard``, or None, with which nothing is written.

    Raises:
        InputError: for another word, or where TensorBoard is not installed.
    """

    def __init__(self, folder: Path, log: object) -> None:
        if log not in CHOICES:
            raise InputError(f"log={log}: write tensorboard or null.")
        if log and importlib.util.find_spec("tensorboard") is None:
            raise InputError(f"log={log}: not installed; pip install synth[tensorboard].")
        self._folder = folder / FOLDER if log else None
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(self, *exception: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def write(self, part: str | None, lines: Sequence[Mapping[str, Json]]) -> None:
        """Writes the numbers of some steps.

        Args:
            part: name of the experiment where it is one of several.
            lines: records of steps; those without a number ``step`` are left out.
        """
        lines = [line for line in lines if isinstance(line.get("step"), int)]
        if self._folder is None or not lines:
            return
        name = part or "."
        if name not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            # steps that a killed attempt wrote after its last checkpoint come again
            self._writers[name] = SummaryWriter(
                str(self._folder / name), purge_step=lines[0]["step"]
            )
        writer = self._writers[name]
        for line in lines:
            for tag, value in _numbers(line):
                writer.add_scalar(tag, value, line["step"])
        writer.flush()


def _numbers(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a record by their keys, ``terms/class``; lists and texts are left out."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and key != "step":
            yield f"{path}{key}", float(value)
