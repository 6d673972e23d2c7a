"""What every training command has in common: where it runs, what it says of itself, and what it leaves in the end."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synth.core.hardware import device_of, low_precision
from synth.core.network import Network
from synth.errors import InputError
from synth.networks import weights_io
from synth.record.record import versions
from synth.training.loop import Loop, Plan
from synth.training.task import Task

Setting = str | int | float | bool | None


class Trainer:
    """A training as the command line gives it: a plan, a device, a precision and the command for the model card.

    Args:
        plan: epochs, batch, seed and stopping.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: ``auto``, ``float32``, ``bfloat16`` for the forward pass.
        command: what the card says it was trained with; None takes the process's own arguments.
    """

    def __init__(self, plan: Plan, device: str, precision: str, command: str | None) -> None:
        self.plan, self.device = plan, device_of(device)
        self.low_precision = low_precision(precision, self.device)
        self.command = _own_command() if command is None else command

    @property
    def precision(self) -> str:
        """The precision of the forward pass."""
        return "bfloat16" if self.low_precision else "float32"

    @property
    def hardware(self) -> str:
        """What it trains on, for the card."""
        where = (
            f"CPU, {torch.get_num_threads()} threads"
            if self.device.type == "cpu"
            else str(self.device)
        )
        return f"{where}, {'bf16 autocast' if self.low_precision else 'fp32'}"

    def check_device(self, network: Network) -> None:
        """Raises InputError where `network`, which looks at what is trained, does so on another device."""
        own, other = (
            torch.empty(0, device=each).device for each in (self.device, network.device)
        )  # cuda is cuda:0
        if own != other:
            raise InputError(
                f"device={own}: {network.name} is on {other}; write device={other}, or move the network."
            )

    def train(self, task: Task, folder: Path, settings: Mapping[str, Setting]) -> Loop:
        """Trains `task` to the end, or goes on with what is in `folder`; `settings` must be those of then."""
        loop = Loop(task, folder, replace(self.plan, settings=settings))
        loop.run()
        return loop

    def result(
        self, folder: Path, findings: Mapping[str, Any], figures: Mapping[str, str]
    ) -> dict[str, Any]:
        """The result record of a finished training: no items, `findings`, and `figures`, files with their captions.

        Figures that are not in `folder` are left out: a kill may come between a checkpoint and the sheet after it.
        """
        return {
            "items": [],
            "findings": dict(findings),
            "figures": [
                {"file": name, "caption": caption}
                for name, caption in figures.items()
                if (folder / name).exists()
            ],
            "status": "done",
            "device": str(self.device),
            "versions": versions(),
        }


def check_range(name: str, value: float | int, low: float | int, high: float | int) -> None:
    """Raises InputError where the user's `name` is outside of `low` .. `high`."""
    if not low <= value <= high:
        raise InputError(f"{name}={value}: must be from {low:g} to {high:g}.")


def fingerprint(*pictures: Tensor, about: object = None) -> str:
    """The number of `pictures` ``[n, 3, h, w]`` and a hash of them and of `about`; where they lie does not matter."""
    found = hashlib.sha256(repr(about).encode())
    for some in pictures:
        found.update(repr(tuple(some.shape)).encode())
        for chunk in some.split(1000):
            found.update(chunk.permute(0, 2, 3, 1).contiguous().cpu().numpy())
    return f"{sum(len(some) for some in pictures)} pictures, {short(found.hexdigest())}"


def settings_of_pictures(
    training: Any,
    validation: Any,
    given: bool,
    holdout: float | int,
    mark: Callable[..., str] = fingerprint,
) -> dict[str, Setting]:
    """What a checkpoint must agree with of the pictures; where they lie may change.

    Where `validation` was not `given` it is a part of the same pictures, which are then marked together.
    """
    return {
        "validation": mark(validation) if given else None,
        "holdout": None if given else holdout,
        "images": mark(training) if given else mark(training, validation),
    }


def setting_of_weights(weights: Path | None) -> Setting:
    """The hash of the file that a training sets out from, where there is one."""
    return f"sha256 {weights_io.sha256(weights)}" if weights else None


def short(digest: str) -> str:
    """Enough of a hash to tell two apart."""
    return f"sha256 {digest[:12]}"


def path_of(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given).expanduser()


def named(folder: Path) -> str:
    """The last two parts of a path: a model card travels, and where its writer keeps the pictures does not."""
    return "/".join(folder.resolve().parts[-2:])


def validated_on(images: Path, validation: Path | None) -> str:
    """The pictures that a card's numbers were measured on: another folder, or those held out of the same."""
    return named(validation) if validation else f"{named(images)}, held out"


def duration(seconds: float) -> str:
    """``35 min 7 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _own_command() -> str:
    """The command line of this process, but for where it writes: a card travels."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    words = [word for word in sys.argv[1:] if not word.startswith("folder=")]
    return shlex.join(["synth", *words]) if name in {"synth", "__main__.py", "cli.py"} else ""
