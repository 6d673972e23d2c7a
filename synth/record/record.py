"""Takes what a run finds; leaves the run folder: steps.jsonl, images, checkpoint, and result.json last of all.

A folder with a result.json is finished. Everything is written beside its place and renamed into it, so a
killed run leaves whole files or none.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from synth import data
from synth.errors import InputError
from synth.record.atomic import disk_full_said, write_atomically

log = logging.getLogger(__name__)

RESULT, STEPS, CHECKPOINT = "result.json", "steps.jsonl", "checkpoint"
SEARCH = (
    "checkpoint.safetensors",
    "checkpoint.previous",
)  # what a search leaves when it is stopped
TRAINING = (
    "checkpoint.pt",
    "checkpoint.previous.pt",
    "checkpoint.next.pt",
    "checkpoint.best.safetensors",
)


class Record:
    """The run folder at `folder`, or the share of one `part` of it (a contender of a comparison).

    `first` is the number of the first picture, `part` names the checkpoint and marks each line of
    steps.jsonl. `identity` is what makes two runs the same: a checkpoint of another identity is refused.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any] | None = None,
        part: str | None = None,
        first: int = 0,
    ) -> None:
        self.folder, self.identity, self.part, self.first = (
            folder,
            dict(identity or {}),
            part,
            first,
        )
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

    def of(self, part: str, first: int) -> Record:
        """The share of `part`, whose pictures are numbered from `first`."""
        self._parts.append(part)
        return Record(self.folder, self.identity, part, first)

    # -- steps ---------------------------------------------------------------------------------------

    def steps(self, lines: list[dict[str, Any]]) -> None:
        """Appends records to steps.jsonl, each marked with the contender where there is one."""
        mark = {"contender": self.part} if self.part else {}
        text = "".join(dumps({**line, **mark}) + "\n" for line in lines)
        with self._disk(), self._steps.open("a", encoding="utf-8") as file:
            file.write(text)

    # -- pictures ------------------------------------------------------------------------------------

    def picture(
        self, number: int, image: Tensor, about: Mapping[str, Any], folder: str = "images"
    ) -> str:
        """Saves `image` [3, h, w] in [0, 1] as 8-bit PNG, `about` in its text key ``synth``; gives the path."""
        text = PngInfo()
        text.add_text("synth", dumps(about), zip=True)
        buffer = io.BytesIO()
        data.to_image(image).save(buffer, "PNG", pnginfo=text)
        name = f"{folder}/{self.first + number:03d}.png"
        with self._disk():
            (self.folder / folder).mkdir(exist_ok=True)
            write_atomically(self.folder / name, buffer.getvalue())
        return name

    def read_back(self, name: str) -> Tensor:
        """A saved picture as anyone will read it: [3, h, w] in [0, 1]."""
        with Image.open(self.folder / name) as image:
            return data.from_image(image.convert("RGB"))

    def tensors(self, name: str, tensors: Mapping[str, Tensor]) -> str:
        """Saves named tensors as NAME.safetensors, marked with the contender where there is one; gives the path."""
        file = f"{name}_{self.part}.safetensors" if self.part else f"{name}.safetensors"
        with self._disk():
            write_atomically(self.folder / file, save(_packed(tensors)))
        return file

    # -- the result ----------------------------------------------------------------------------------

    def finish(self, result: Mapping[str, Any]) -> None:
        """Writes result.json, the last file of a run, and takes its checkpoints away, unless it is to go on."""
        with self._disk():
            write_atomically(self.folder / RESULT, (dumps(result, indent=1) + "\n").encode())
        if result.get("status") == "interrupted":
            return
        parts = [
            f"{CHECKPOINT}_{part}{end}"
            for part in self._parts
            for end in (".safetensors", ".previous", ".json")
        ]
        for name in (
            *SEARCH,
            *TRAINING,
            *parts,
        ):  # by name, for what else is in the folder is not ours
            for path in (self.folder / name, self.folder / f"{name}.partial"):
                path.unlink(missing_ok=True)

    @staticmethod
    def finished(folder: Path) -> dict[str, Any] | None:
        """The result in `folder` if a run was completed there, else None."""
        return _result(folder, "done")

    @staticmethod
    def refuse_other(
        folder: Path, identity: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> None:
        """Raises InputError where `folder` holds an unfinished run that is not the one of `identity`.

        `before` is the identity of the run that was begun there, None where that is not known. A training says
        itself what its checkpoint must agree with: where its pictures lie may change.
        """
        left = [name for name in (*SEARCH, *TRAINING, STEPS) if (folder / name).is_file()]
        if not left and _result(folder, "interrupted") is None:
            return
        if before is None:
            before = _identity_in(folder / SEARCH[0]) or _identity_in(folder / SEARCH[1])
        if before is None:
            raise InputError(
                f"folder={folder}: holds {left[0] if left else RESULT} of a run whose configuration is not known; "
                "name another folder."
            )
        old, new = dict(before), json.loads(dumps(identity))
        if old.get("recipe") == new.get("recipe") and set(left) & set(TRAINING):
            return
        difference = _difference(old.get("recipe"), new.get("recipe"), "recipe") or _difference(
            old, new
        )
        if difference:
            raise InputError(_another(folder, difference))

    def keep_part_result(self, result: Mapping[str, Any]) -> None:
        """Keeps what one part found, for when the whole is resumed; gone when the whole is finished."""
        if result["status"] == "done":
            kept = {"identity": self.identity, "result": result}
            with self._disk():
                write_atomically(self._part_result, dumps(kept).encode())

    def part_result(self) -> dict[str, Any] | None:
        """What this part found in an earlier try of the same run; None where it has to be run."""
        try:
            kept = json.loads(self._part_result.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept["result"] if kept["identity"] == json.loads(dumps(self.identity)) else None

    @property
    def _part_result(self) -> Path:
        return self.folder / f"{CHECKPOINT}_{self.part}.json"

    # -- checkpoint ----------------------------------------------------------------------------------

    def checkpoint(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Saves a run in the middle: named tensors and a JSON record, in one file that replaces the last."""
        about = {**about, "identity": self.identity, "steps_bytes": self._size()}
        with self._disk():
            path = self._checkpoint
            if path.is_file():  # the previous one stays, should this one be cut short
                os.replace(path, path.with_suffix(".previous"))
            write_atomically(path, save(_packed(tensors), {"synth": dumps(about)}))

    def resume(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What `checkpoint` saved last, steps.jsonl cut back to that moment; None where there is nothing to resume.

        Raises InputError where the checkpoint belongs to another configuration, naming the first difference.
        """
        older = self._checkpoint.with_suffix(".previous")
        for path in (self._checkpoint, older):
            try:
                with safe_open(path, "pt") as file:
                    about = json.loads(file.metadata()["synth"])
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            except (OSError, SafetensorError, ValueError, KeyError, TypeError):
                if path.is_file():
                    instead = (
                        "the one before" if path != older and older.is_file() else "the beginning"
                    )
                    log.warning("%s is damaged, cut short perhaps: going on from %s", path, instead)
                continue
            difference = _difference(about.pop("identity"), json.loads(dumps(self.identity)))
            if difference:
                raise InputError(_another(self.folder, difference))
            if self._size() > about["steps_bytes"]:
                os.truncate(self._steps, about["steps_bytes"])
            return tensors, about
        self._begin_again()
        return None

    def _begin_again(self) -> None:
        """Takes away the lines of a try that was killed before its first checkpoint."""
        lines = self._steps.read_bytes().splitlines(keepends=True) if self._size() else []
        own = b'"contender": ' + dumps(self.part).encode()
        kept = [line for line in lines if self.part and own not in line and line.endswith(b"\n")]
        if len(kept) < len(lines):
            with self._disk():
                write_atomically(self._steps, b"".join(kept))

    @property
    def _checkpoint(self) -> Path:
        return self.folder / (
            f"{CHECKPOINT}_{self.part}.safetensors" if self.part else f"{CHECKPOINT}.safetensors"
        )

    def _size(self) -> int:
        return self._steps.stat().st_size if self._steps.is_file() else 0

    def keep(self, name: str, content: bytes) -> None:
        """Writes `content` as the file `name` of the run's folder, whole or not at all."""
        with self._disk():
            write_atomically(self.folder / name, content)

    def _disk(self) -> Any:
        return disk_full_said(self.folder, "Make room and give the same command again; it resumes.")


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON in which what is not a finite number is null, because NaN is no JSON."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, default=str)


def _packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors takes them."""
    return {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, Tensor):
        return _finite(value.tolist())
    return value


def _result(folder: Path, status: str) -> dict[str, Any] | None:
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("status") == status else None


def _identity_in(path: Path) -> dict[str, Any] | None:
    """The identity that a checkpoint carries, None where there is no whole one."""
    try:
        with safe_open(path, "pt") as file:
            return dict(json.loads(file.metadata()["synth"])["identity"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def _another(folder: Path, difference: str) -> str:
    return (
        f"folder={folder}: holds an unfinished run of another configuration ({difference}); "
        "name another folder, or delete this one."
    )


def _difference(old: Any, new: Any, where: str = "") -> str | None:
    """The first place where two JSON values differ, in words; None where they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            found = _difference(old.get(key), new.get(key), f"{where}.{key}".lstrip("."))
            if found:
                return found
        return None
    return None if old == new else f"{where} was {json.dumps(old)}, is {json.dumps(new)}"


def versions() -> dict[str, str]:
    """The versions that decide what a run draws."""
    from synth import __version__

    return {"synth": __version__, "torch": torch.__version__}
