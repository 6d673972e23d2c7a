"""Takes the state of a training; gives two files, the newest and the one before, and finds a good one."""

from __future__ import annotations

import io
import logging
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from synth.errors import InputError
from synth.record.atomic import write_atomically

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoint files ``checkpoint.pt`` and ``checkpoint.previous.pt`` of one training's folder."""

    folder: Path

    @property
    def newest(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def previous(self) -> Path:
        return self.folder / "checkpoint.previous.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Writes `state` (tensors, numbers, strings, lists, dicts); what was the newest becomes the previous.

        Raises:
            OSError: disk full and the like; both files are then as they were.
        """
        buffer = io.BytesIO()
        torch.save(
            state, buffer
        )  # into memory first: torch turns a full disk into a RuntimeError without errno
        fresh = self.folder / "checkpoint.next.pt"
        write_atomically(fresh, buffer.getbuffer().tobytes())
        if self.newest.exists():
            self.newest.replace(self.previous)
        fresh.replace(self.newest)

    def load(self) -> dict[str, Any] | None:
        """The newest state that is whole, None where there is none; a file that is cut short is logged.

        Raises:
            InputError: when there are checkpoints, and none of them is whole.
        """
        present = [path for path in (self.newest, self.previous) if path.exists()]
        for path in present:
            state = _read(path)
            if state is not None:
                return state
            log.warning("%s is cut short or damaged; looking for the checkpoint before it.", path)
        if present:
            raise InputError(
                f"{self.folder}: no checkpoint there is whole; delete them, or give another folder."
            )
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:  # torch.load itself does not compare the checksums
                return None
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ):
        return None
