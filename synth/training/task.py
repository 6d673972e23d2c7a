"""The abstract base class `Task`: models, optimisers, losses and data of one training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Row = dict[str, float | int]  # the numbers of one epoch, by name


@dataclass(frozen=True)
class Progress:
    """The position of a training step.

    Attributes:
        epoch: counted from 0.
        step: within the epoch, counted from 0.
        share: fraction of the whole training that is done, in [0, 1).
        generator: of this step alone, on the CPU so that every device draws the same numbers. Its
            seed is a function of the training's seed, the epoch and the step; so is the seed of the
            global generator, from which dropout draws.
    """

    epoch: int
    step: int
    share: float
    generator: torch.Generator


class Task(ABC):
    """What a training loop trains: models with their optimisers, losses and data.

    Epochs, order, learning rates, files and early stopping belong to `synth.training.loop.Loop`.
    """

    monitored = "validation_loss"
    """The number of `validate` that early stopping compares."""

    maximised = False
    """Whether more of it is better."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """Size of the training set; the loop draws batches of indices below it."""

    @abstractmethod
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything with weights, by name; the loop sets its mode, saves and restores it."""

    @abstractmethod
    def optimisers(self) -> Mapping[str, Optimizer]:
        """Every optimiser, by name, at its base rate; the loop multiplies it by the schedule."""

    @abstractmethod
    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        """Takes one optimiser step.

        Args:
            batch: indices of the samples, int64 ``[b]`` on the CPU.
            progress: where the step stands; its generator is the only source of random numbers.

        Returns:
            Means over the batch by name (``loss`` first), detached scalars on the device, where the
            loop adds them up.
        """

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Metrics on data not trained on, by name (``validation_loss``, ...), in eval mode."""

    @abstractmethod
    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        """Writes the current weights to `path` (safetensors); `row` holds the epoch's numbers."""

    @abstractmethod
    def panels(self) -> Mapping[str, Sequence[str]]:
        """The panels of ``curves.png``: the names of the numbers in each, by the panel's title."""

    def sample(self, folder: Path, epoch: int) -> None:  # noqa: B027 - an optional hook
        """Called after each epoch (counted from 1) to write a sheet of samples into `folder`."""

    def state_dict(self) -> dict[str, Any]:
        """State of all modules and optimisers: everything that the next step depends on."""
        return {
            "modules": {name: module.state_dict() for name, module in self.modules().items()},
            "optimisers": {
                name: optimiser.state_dict() for name, optimiser in self.optimisers().items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        for name, module in self.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in self.optimisers().items():
            optimiser.load_state_dict(state["optimisers"][name])
