"""The abstract base class `Trainer` of all training commands, and what their model cards share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from synth.core.hardware import device_of, low_precision
from synth.core.network import Network
from synth.errors import InputError, printable
from synth.files import path_of
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Figure, Json, NetworkInfo, Result
from synth.training.loop import Loop
from synth.training.plan import Plan, Setting
from synth.training.task import Task

DISK_FULL = "The training is done and kept: free some space, give the same command again."


class Trainer(Job):
    """A training as a recipe names it: reads pictures, trains a `Task`, leaves weights and a card.

    Args:
        plan: epochs, batch, seed and early stopping.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of the forward pass: ``float32``, ``bfloat16``, or ``auto`` (bfloat16 where the
            hardware has it).
        command: the command line that the model card names; None for that of this process.

    Raises:
        InputError: for a device or precision that does not exist.
    """

    def __init__(self, plan: Plan, device: str, precision: str, command: str | None) -> None:
        self.plan = plan
        self.device = device_of(device)
        self.low_precision = low_precision(precision, self.device)
        self.command = _process_command() if command is None else command

    @property
    def precision(self) -> str:
        """The precision of the forward pass."""
        return "bfloat16" if self.low_precision else "float32"

    @property
    def hardware(self) -> str:
        """Device, threads and precision, for the model card."""
        where = (
            f"CPU, {torch.get_num_threads()} threads"
            if self.device.type == "cpu"
            else str(self.device)
        )
        return f"{where}, {'bf16 autocast' if self.low_precision else 'fp32'}"

    def check_device(self, network: Network) -> None:
        """Raises InputError where `network`, which the loss is read from, is on another device."""
        # an empty tensor's device: "cuda" becomes "cuda:0"
        own, other = (
            torch.empty(0, device=device).device for device in (self.device, network.device)
        )
        if own != other:
            raise InputError(
                f"device={own}: {network.name} is on {other}; write device={other}, "
                "or move the network."
            )

    def train(self, task: Task, record: Record, settings: Mapping[str, Setting]) -> Loop:
        """Trains `task` to the end of the plan, or resumes what an earlier call left behind.

        Args:
            task: what is trained.
            record: of the run.
            settings: what must be the same for a checkpoint there to be resumed.

        Returns:
            The loop, with the numbers of each epoch.
        """
        plan = replace(self.plan, settings=settings)
        loop = Loop(task, record.folder, plan, report=record.report)
        loop.run()
        return loop

    def result(
        self,
        folder: Path,
        loop: Loop,
        findings: Mapping[str, Json],
        figures: Mapping[str, str],
        network: Network | None = None,
    ) -> Result:
        """The result of a finished training.

        Args:
            folder: the run folder.
            loop: that trained; gives the seconds.
            findings: metrics and counts, by name.
            figures: captions by file; files that were deleted from `folder` are left out.
            network: the network that the loss was read from, where there was one.
        """
        return Result(
            status="done",
            seconds=loop.seconds,
            device=str(self.device),
            versions=versions(),
            network=None if network is None else NetworkInfo(network.name, network.sha256),
            findings=dict(findings),
            figures=[
                Figure(name, caption)
                for name, caption in figures.items()
                if (folder / name).exists()
            ],
        )


def check_range(name: str, value: float | int, low: float | int, high: float | int) -> None:
    """Raises InputError where the user's `name` is outside of `low` .. `high`."""
    if not low <= value <= high:
        raise InputError(f"{name}={value}: must be from {low:g} to {high:g}.")


def optional_path(value: str | Path | None, word: str) -> Path | None:
    """The path that the user wrote for `word`, with ``~`` expanded; None stays None."""
    return None if value is None else path_of(value, word)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(weight.numel() for weight in network.parameters())


def short_path(folder: Path) -> str:
    """The last two parts of a path: a model card is passed on, the rest of the path is private."""
    return printable("/".join(folder.resolve().parts[-2:]))


def validated_on(images: Path, validation: Path | None) -> str:
    """The validation set in words: another folder, or pictures held out of the same one."""
    return short_path(validation) if validation else f"{short_path(images)}, held out"


def duration(seconds: float) -> str:
    """``35 min 7 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _process_command() -> str:
    """The command line of this process without its output folder; empty in any other program."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    words = [word for word in sys.argv[1:] if not word.startswith("folder=")]
    return shlex.join(["synth", *words]) if name in {"synth", "__main__.py", "cli.py"} else ""
