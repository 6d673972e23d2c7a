"""The run folder: steps.jsonl, images, checkpoints, and result.json, which is written last.

A folder with a result.json whose status is ``done`` is finished. Every file is written under a
temporary name and then renamed, so that a killed run leaves whole files or none.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from synth import data
from synth.errors import InputError
from synth.files import open_image, read_text, without_waiting
from synth.record.atomic import report_full_disk, write_atomically
from synth.record.checkpoint import EARLIER, UNREADABLE, Checkpoint, marked, read_marked
from synth.record.json_text import checksum, dumps
from synth.record.record import Record
from synth.record.result import MALFORMED, RESULT, Json, Result, read_result
from synth.record.tensorboard import EventFiles

log = logging.getLogger(__name__)

STEPS, CHECKPOINT = "steps.jsonl", "checkpoint"
IMAGES = "images"
# the weights of the best epoch of a training with early stopping
BEST = "checkpoint.best.safetensors"


class FolderRecord(Record):
    """The folder of a run, or the share that one experiment of a comparison has in it.

    Args:
        folder: the run folder; made where it does not exist.
        identity: the configuration that makes two runs the same; a checkpoint of another identity
            is refused.
        part: name of the experiment where it is one of several; names its checkpoint and marks its
            lines of steps.jsonl.
        first: number of the first image.

    Raises:
        InputError: where the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Json] | None = None,
        part: str | None = None,
        first: int = 0,
    ) -> None:
        self.provenance: dict[str, Json] = {}  # of the run, in the text of each image
        self._folder = folder
        self.identity = dict(identity or {})
        self.part = part
        self.first = first
        self.events = EventFiles(folder, None)  # in which steps are written a second time
        self._parts = [part] if part else []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"folder={folder}: cannot be written to ({error.strerror}); name another."
            ) from error
        self._steps = folder / STEPS

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def resumable(self) -> bool:
        return True

    def of(self, part: str, first: int) -> FolderRecord:
        self._parts.append(part)
        share = FolderRecord(self.folder, self.identity, part, first)
        share.provenance, share.events = self.provenance, self.events
        return share

    # -- steps -----------------------------------------------------------------------------------

    def steps(self, lines: Sequence[Mapping[str, Json]]) -> None:
        text = "".join(dumps(self._marked(line)) + "\n" for line in lines)
        with (
            self._disk(),
            open(self._steps, "a", encoding="utf-8", opener=without_waiting) as file,
        ):
            file.write(text)
        self.report(lines)

    def report(self, lines: Sequence[Mapping[str, Json]]) -> None:
        with self._disk():
            self.events.write(self.part, lines)

    def read_steps(self) -> list[dict[str, Json]]:
        lines = self._steps.read_bytes().splitlines() if self._size() else []
        mark = b'"contender": ' + dumps(self.part).encode()
        return [json.loads(line) for line in lines if not self.part or mark in line]

    # -- images ----------------------------------------------------------------------------------

    def picture(
        self, number: int, image: Tensor, about: Mapping[str, Json], folder: str = "images"
    ) -> str:
        name = self._picture_name(number, folder)
        self.save_picture(name, image, about)
        return name

    def save_picture(self, name: str, image: Tensor, about: Mapping[str, Json]) -> None:
        """Saves an image as 8-bit PNG, its provenance as JSON in the text key ``synth``.

        Args:
            name: the path within the run folder.
            image: float32 [3, h, w], RGB in [0, 1].
            about: its provenance.
        """
        if Path(name).parent == Path(IMAGES):
            about = {**about, **self.provenance, "item": int(Path(name).stem)}
        text = PngInfo()
        text.add_text("synth", dumps(about), zip=True)
        buffer = io.BytesIO()
        data.to_image(image).save(buffer, "PNG", pnginfo=text)
        with self._disk():
            (self.folder / name).parent.mkdir(exist_ok=True)
            write_atomically(self.folder / name, buffer.getvalue())

    def read_back(self, name: str) -> Tensor:
        with open_image(self.folder / name, f"folder={self.folder}: {name}") as image:
            return data.from_image(image.convert("RGB"))

    def tensors(self, name: str, tensors: Mapping[str, Tensor]) -> str:
        file = self._tensors_name(name)
        with self._disk():
            write_atomically(self.folder / file, marked(tensors))
        return file

    def read_tensors(self, name: str) -> dict[str, Tensor]:
        file = self.folder / self._tensors_name(name)
        try:
            return read_marked(file)[0]
        except UNREADABLE as error:
            raise InputError(
                f"folder={self.folder}: {file.name} is gone or damaged; delete the folder to run "
                "it again."
            ) from error

    def keep(self, name: str, content: bytes) -> None:
        with self._disk():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)  # figures
            write_atomically(path, content)

    # -- the result ------------------------------------------------------------------------------

    def finish(self, result: Result) -> None:
        """Writes result.json, the last file of a run; removes the checkpoints of a finished one."""
        with self._disk():
            text = dumps(result.to_dict(), indent=1) + "\n"
            write_atomically(self.folder / RESULT, text.encode())
        if result.status != "interrupted":
            self.remove_left_over(self.folder, self._parts)

    @staticmethod
    def remove_left_over(folder: Path, parts: Sequence[str]) -> None:
        """Removes the checkpoints of a finished run, also of one that was killed before it did.

        Args:
            folder: the run folder.
            parts: names of the experiments of a comparison.
        """
        # by name: other files in the folder are the user's
        parts = [*parts, *_searches(folder, parts)]
        for part in (None, *parts):
            Checkpoint(folder, part).remove()
        names = (BEST, *(f"{CHECKPOINT}_{part}.json" for part in parts))
        for name in (*names, *(f"{name}.partial" for name in names)):
            (folder / name).unlink(missing_ok=True)

    @staticmethod
    def begin_anew(folder: Path, parts: Sequence[str]) -> None:
        """Removes what an earlier version left of an unfinished search, and logs it.

        A training's checkpoint stays; the training itself refuses it.

        Args:
            folder: the run folder.
            parts: names of the experiments of a comparison.
        """
        if "training" in (Checkpoint(folder).about() or {}):
            return
        files = [path for part in (None, *parts) for path in Checkpoint(folder, part).files]
        files = [path for path in files if path.name not in EARLIER]
        files += [folder / STEPS, *(folder / f"{CHECKPOINT}_{part}.json" for part in parts)]
        if not any(path.is_file() for path in files):
            return
        log.warning(
            "%s was begun by an earlier version of synth, whose checkpoints this one cannot go on "
            "with bit for bit: it begins anew",
            folder,
        )
        for path in files:
            path.unlink(missing_ok=True)

    @staticmethod
    def is_begun(folder: Path) -> bool:
        """Whether the folder holds anything of an unfinished run."""
        return bool(_begun_files(folder)) or read_result(folder, "interrupted") is not None

    @staticmethod
    def refuse_other(
        folder: Path, identity: Mapping[str, Json], before: Mapping[str, Json] | None
    ) -> None:
        """Refuses a folder that holds an unfinished run of another configuration.

        Args:
            folder: the run folder.
            identity: the configuration that is to run there.
            before: the configuration that was begun there; None where that is not known. A training
                compares its checkpoint itself, since the place of its pictures may change.

        Raises:
            InputError: naming the first difference.
        """
        if not FolderRecord.is_begun(folder):
            return
        files = _begun_files(folder)
        about = Checkpoint(folder).about() or {}
        before = about.get("identity") if before is None else before
        if before is None:
            raise InputError(
                f"folder={folder}: holds {files[0] if files else RESULT} of a run whose "
                "configuration is not known; name another folder."
            )
        old, new = json.loads(dumps(before)), json.loads(dumps(identity))
        if not isinstance(old, dict):  # a checkpoint that was changed by hand
            old = {}
        training = "training" in about or {BEST, *EARLIER} & set(files)
        if training and old.get("recipe") == new.get("recipe"):
            return
        difference = _difference(old.get("recipe"), new.get("recipe"), "recipe") or _difference(
            old, new
        )
        if difference:
            raise InputError(_another(folder, difference))

    def keep_part_result(self, result: Result) -> None:
        if result.status == "done":
            content = {"identity": self.identity, "result": result.to_dict()}
            content["crc32"] = checksum(dumps(content))
            with self._disk():
                write_atomically(self._part_result, dumps(content).encode())

    def part_result(self) -> Result | None:
        try:
            content = dict(json.loads(read_text(self._part_result)))
            expected = content.pop("crc32", None)
            if expected not in (None, checksum(dumps(content))):  # earlier versions wrote none
                raise ValueError("the checksum does not match")
            result = Result.from_dict(content["result"])
            if content["identity"] != json.loads(dumps(self.identity)):
                return None
        except FileNotFoundError:
            return None
        except (OSError, *MALFORMED):
            log.warning("%s is damaged: %s runs again", self._part_result, self.part)
            return None
        files = [self.folder / item.file for item in result.items if item.file is not None]
        return result if all(path.is_file() for path in files) else None

    @property
    def _part_result(self) -> Path:
        return self.folder / f"{CHECKPOINT}_{self.part}.json"

    # -- checkpoint ------------------------------------------------------------------------------

    def checkpoint(self, tensors: Mapping[str, Tensor], about: Mapping[str, Json]) -> None:
        about = {**about, "identity": self.identity, "steps_bytes": self._size()}
        Checkpoint(self.folder, self.part).save(tensors, about)

    def resume(self) -> tuple[dict[str, Tensor], dict[str, Json]] | None:
        checkpoint = Checkpoint(self.folder, self.part).load()
        if checkpoint is None:
            self._begin_again()
            return None
        tensors, about = checkpoint
        if "identity" not in about:
            raise InputError(
                f"folder={self.folder}: holds the checkpoint of a training; name another folder."
            )
        difference = _difference(about.pop("identity"), json.loads(dumps(self.identity)))
        if difference:
            raise InputError(_another(self.folder, difference))
        steps_bytes = about.pop("steps_bytes", None)
        if not isinstance(steps_bytes, int):
            raise self.malformed()
        if self._size() < steps_bytes:
            log.warning("%s: lines from before the checkpoint are missing", self._steps)
        if self._size() > steps_bytes:
            os.truncate(self._steps, steps_bytes)
        return tensors, about

    def malformed(self) -> InputError:
        """The error for a checkpoint from which no state of this run can be built."""
        return InputError(
            f"folder={self.folder}: its checkpoint holds no state of this run, or one of another "
            "version of synth; name another folder, or delete this one."
        )

    def _begin_again(self) -> None:
        """Removes the lines of an attempt that was killed before its first checkpoint."""
        lines = self._steps.read_bytes().splitlines(keepends=True) if self._size() else []
        mark = b'"contender": ' + dumps(self.part).encode()
        others = [line for line in lines if self.part and mark not in line and line.endswith(b"\n")]
        if len(others) < len(lines):
            with self._disk():
                write_atomically(self._steps, b"".join(others))

    def _size(self) -> int:
        return self._steps.stat().st_size if self._steps.is_file() else 0

    def _disk(self) -> AbstractContextManager[None]:
        return report_full_disk(
            self.folder, "Make room and give the same command again; it resumes."
        )


def _another(folder: Path, difference: str) -> str:
    return (
        f"folder={folder}: holds an unfinished run of another configuration ({difference}); "
        "name another folder, or delete this one."
    )


def _difference(old: Json, new: Json, path: str = "") -> str | None:
    """The first place where two JSON values differ, in words; None where they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            difference = _difference(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
            if difference:
                return difference
        return None
    return None if old == new else f"{path} was {json.dumps(old)}, is {json.dumps(new)}"


def _searches(folder: Path, parts: Sequence[str]) -> set[str]:
    """Searches of experiments that have left files: ``cma-0-2``, by network and seed, of cma."""
    names = "|".join(map(re.escape, parts))
    pattern = re.compile(rf"{CHECKPOINT}_((?:{names})(?:-\d+)+)\.")
    return {match[1] for path in folder.iterdir() if (match := pattern.match(path.name))}


def _begun_files(folder: Path) -> list[str]:
    """Names of the files that an unfinished run leaves."""
    paths = (*Checkpoint(folder).files, folder / BEST, folder / STEPS)
    return [path.name for path in paths if path.is_file()]
