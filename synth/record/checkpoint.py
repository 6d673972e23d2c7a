"""Checkpoints: the state of an unfinished run or training as named tensors and a JSON record.

One safetensors file a save, which replaces the newest; the one before it is kept. A file is written
under a temporary name, forced to the disk, and renamed, so that a kill or a full disk at any moment
leaves at least one complete checkpoint. A CRC-32 over record and tensors in the metadata detects
damage that leaves the file's form intact.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from synth.core import hardware
from synth.errors import InputError
from synth.files import open_regular
from synth.record.atomic import report_full_disk, write_atomically
from synth.record.json_text import dumps
from synth.record.result import Json

log = logging.getLogger(__name__)

# files of trainings of earlier versions, pickled by torch.save; they cannot be resumed
EARLIER = ("checkpoint.pt", "checkpoint.previous.pt", "checkpoint.next.pt")
UNREADABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError)


class Checkpoint:
    """The newest and the previous checkpoint of a run: ``checkpoint.safetensors``, ``.previous``.

    Args:
        folder: the run folder.
        part: name of the experiment where the folder is shared by several; the files are then
            ``checkpoint_PART.safetensors`` and ``.previous``.
    """

    def __init__(self, folder: Path, part: str | None = None) -> None:
        self.folder = folder
        stem = f"checkpoint_{part}" if part else "checkpoint"
        self.newest = folder / f"{stem}.safetensors"
        self.previous = folder / f"{stem}.previous"
        self._next = folder / f"{stem}.next"
        self._earlier = () if part else tuple(folder / name for name in EARLIER)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the checkpoints of this or an earlier version consist of."""
        return (self.newest, self.previous, self._next, *self._earlier)

    def save(self, tensors: Mapping[str, Tensor], about: Mapping[str, Json]) -> None:
        """Writes a checkpoint; what was the newest becomes the previous one.

        Args:
            tensors: by name, on any device, of any strides; tensors that share memory are stored
                separately.
            about: whatever JSON can hold; floats are stored by ``repr`` and come back bit-equal.

        Raises:
            InputError: the disk is full; the checkpoints are then as they were.
        """
        content = marked(tensors, dumps({**about, "hardware": hardware.description()}))
        with report_full_disk(self.folder, self.after_full_disk):
            write_atomically(self._next, content)
            if self.newest.is_file():
                self.newest.replace(self.previous)
            self._next.replace(self.newest)

    def after_full_disk(self) -> str:
        """What is left where a save fails, and what to do."""
        state = (
            "The last good checkpoint is kept"
            if self.newest.is_file() or self.previous.is_file()
            else "No checkpoint had been written yet"
        )
        return f"{state}: free some space and give the same command again."

    def load(self, required: bool = False) -> tuple[dict[str, Tensor], dict[str, Json]] | None:
        """The newest checkpoint that is whole; a damaged one is logged.

        Args:
            required: whether it is an error when there are checkpoints but none is whole.

        Returns:
            Its tensors (on the CPU) and its JSON record; None where there is none.

        Raises:
            InputError: only checkpoints of an earlier version are there; or, if `required`, all are
                damaged.
        """
        present = [path for path in (self.newest, self.previous) if path.is_file()]
        if not present:
            self._refuse_earlier()
        for path in present:
            try:
                tensors, about = read_marked(path)
                if about:
                    _warn_of_other_hardware(about.pop("hardware", None))
                    return tensors, about
                raise ValueError(f"{path}: no record")
            except UNREADABLE:
                if path == present[-1] and required:
                    break
                rest = "the beginning" if path == present[-1] else "the one before"
                log.warning("%s is damaged, cut short perhaps: going on from %s", path, rest)
        if present and required:
            raise InputError(
                f"{self.folder}: no checkpoint there is whole; delete them, or give another folder."
            )
        return None

    def about(self) -> dict[str, Json] | None:
        """The JSON record alone, of the newest checkpoint that is readable; None where none is.

        Its checksum, which needs the tensors too, is not compared.
        """
        for path in (self.newest, self.previous):
            try:
                open_regular(path).close()
                with safe_open(path, "pt") as file:
                    return dict(json.loads(file.metadata()["synth"]))
            except UNREADABLE:
                continue
        return None

    def remove(self) -> None:
        """Deletes the checkpoints and what a killed save may have left of one."""
        for path in self.files:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.partial").unlink(missing_ok=True)

    def _refuse_earlier(self) -> None:
        for path in self._earlier:
            if path.is_file():
                raise InputError(
                    f"folder={self.folder}: holds {path.name} of a training that was begun by an "
                    "earlier version of synth and cannot be resumed; name another folder."
                )


def _warn_of_other_hardware(before: Json) -> None:
    """Warns where `before` is not this machine: the last bits of what follows may differ."""
    here = hardware.description()
    if not isinstance(before, dict) or before == here:
        return
    differences = [
        f"{name} {value} before, {here[name]} now"
        for name, value in before.items()
        if name in here and value != here[name]
    ]
    log.warning(
        "begun on other hardware (%s): the pictures will not be bit for bit those of one machine",
        "; ".join(differences),
    )


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` as safetensors stores them: on the CPU, contiguous, no two sharing memory."""
    stored: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().to("cpu").contiguous()
        if value.numel() and value.untyped_storage().data_ptr() in storages:
            value = value.clone()
        storages.add(value.untyped_storage().data_ptr())
        stored[name] = value
    return stored


def marked(tensors: Mapping[str, Tensor], text: str = "") -> bytes:
    """A safetensors file of `tensors` and a `text`, with a checksum over both."""
    stored = packed(tensors)
    # without an empty text: safetensors writes several keys in a random order, and the same genomes
    # are to give the same file
    record = {"synth": text} if text else {}
    return save(stored, {**record, "crc32": _checksum(stored, text)})


def read_marked(path: Path) -> tuple[dict[str, Tensor], dict[str, Json]]:
    """Tensors and JSON record of a file that `marked` made, or an earlier version without checksum.

    Raises:
        OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError: where it is
            damaged; see `UNREADABLE`.
    """
    open_regular(path).close()
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    text = metadata.get("synth", "")
    if "crc32" in metadata and metadata["crc32"] != _checksum(tensors, text):
        raise ValueError(f"{path}: the checksum does not match")
    return tensors, dict(json.loads(text or "{}"))


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """CRC-32 of the record and of the tensors' bytes, in the order of their names."""
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, value)
    return f"{value:08x}"
