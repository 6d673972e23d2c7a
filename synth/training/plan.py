"""The plan of a training: epochs, batch size, order, learning rates and early stopping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from synth.errors import InputError
from synth.training.schedule import OneCycle, Schedule

Setting = str | int | float | bool | None


@dataclass(frozen=True)
class Plan:
    """The numbers of a training that are the same for every task.

    Args:
        epochs: passes over the training set, at least 1.
        batch: samples a step, at least 1; the remainder at the end of an epoch is left out, and
            the next epoch is shuffled anew.
        seed: with the epoch it gives the order, with the epoch and the step every other draw.
        schedule: factor on the learning rates as a function of progress.
        early_stopping: epochs of patience: training stops after so many epochs without a better
            value of what the task monitors, and the weights of the best epoch are restored; None
            trains to the end and keeps the last weights.
        keep_checkpoints: every how many epochs the weights are kept, and after the last one, as
            ``checkpoints/epoch_007.safetensors``; True for each epoch, False for none.
        checkpoint_seconds: time between two checkpoints within an epoch: a kill loses no more.
        settings: further values that must be the same for a checkpoint to be resumed.

    Raises:
        InputError: for a number out of its range.
    """

    epochs: int
    batch: int
    seed: int = 0
    schedule: Schedule = field(default_factory=OneCycle)
    early_stopping: int | None = None
    keep_checkpoints: bool | int = False
    checkpoint_seconds: float = 25.0
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("batch", self.batch)):
            if value < 1:
                raise InputError(f"{name}={value}: a whole number, at least 1.")
        if self.early_stopping is not None and self.early_stopping < 1:
            raise InputError(
                f"early_stopping={self.early_stopping}: epochs of patience, at least 1, or null."
            )
        if self.keep_checkpoints < 0:
            raise InputError(
                f"keep_checkpoints={self.keep_checkpoints}: every how many epochs, at least 1, or "
                "true for each."
            )

    def record(self) -> dict[str, Setting]:
        """Everything that a checkpoint must agree with."""
        return {
            "epochs": self.epochs,
            "batch": self.batch,
            "seed": self.seed,
            "early_stopping": self.early_stopping,
            **self.settings,
        }

    def check_same(self, before: Mapping[str, Setting], folder: Path) -> None:
        """Raises InputError for the first value that differs from that of a checkpoint.

        Args:
            before: what `record` gave when the checkpoint in `folder` was written.
            folder: the run folder.
        """
        for name, value in self.record().items():
            if before.get(name) != value:
                raise InputError(
                    f"{name}={value}: the checkpoint in {folder} was made with "
                    f"{name}={before.get(name)}; give that again, or another folder."
                )
