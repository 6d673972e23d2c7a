"""What a training loop needs to know of what it trains: how to take a step, what to measure and to keep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass(frozen=True)
class Progress:
    """Where a step stands: `epoch` and `step` in it count from 0; `share` of the whole training is in [0, 1).

    `generator` (on the CPU, so that every device draws the same) belongs to this step alone: its seed comes
    from the training's seed, the epoch and the step, and so does the global one that dropout draws from.
    """

    epoch: int
    step: int
    share: float
    generator: torch.Generator


class Task(ABC):
    """Owns models, optimisers, losses and data. The loop owns epochs, order, rates, files and stopping."""

    monitored = "validation_loss"
    """The number of `validate` that early stopping watches; lower is better."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """How many training samples there are: the loop draws batches of indices below it."""

    @abstractmethod
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything with weights, by name; the loop switches their mode and saves them."""

    @abstractmethod
    def optimisers(self) -> Mapping[str, Optimizer]:
        """Every optimiser, by name, at its base rate; the loop multiplies the rates by the schedule."""

    @abstractmethod
    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        """Takes one step on the samples `batch` (int64 ``[b]``, CPU).

        Returns:
            Means over the batch by name (``loss`` ...), detached scalars on the device: the loop adds them up
            there.
        """

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Numbers on data not trained on, by name (``validation_loss`` ...); the modules are in eval mode."""

    @abstractmethod
    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        """Writes the weights of this moment to `path` (safetensors); `row` holds the epoch's numbers."""

    @abstractmethod
    def panels(self) -> Mapping[str, Sequence[str]]:
        """What ``curves.png`` shows: the names of the numbers in each panel, by the panel's title."""

    def sample(self, folder: Path, epoch: int) -> None:  # noqa: B027 - a hook, not a duty
        """Called after each epoch (from 1): a generator draws a sheet of samples into `folder` here."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, as tensors, numbers and strings."""
        return {
            "modules": {name: module.state_dict() for name, module in self.modules().items()},
            "optimisers": {
                name: optimiser.state_dict() for name, optimiser in self.optimisers().items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes back to what `state_dict` gave."""
        for name, module in self.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in self.optimisers().items():
            optimiser.load_state_dict(state["optimisers"][name])
