"""Runs and trainings that are interrupted at a chosen step.

With the fixture `often` runs save a checkpoint after every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from synth.engine.experiment import Experiment
from synth.training.task import Progress, Task


def at_step(experiment: Experiment, number: int, act: Callable[[], Any]) -> Experiment:
    """`experiment`, whose search calls `act` before step `number`."""
    original = experiment.search_method.step

    def step(problem: Any, rows: Any, state: Any, index: int) -> Any:
        if index == number:
            act()
        return original(problem, rows, state, index)

    experiment.search_method.step = step  # type: ignore[method-assign]
    return experiment


def power_cut_after(task: Task, steps: int) -> Task:
    """`task`, whose training raises RuntimeError, ``power cut``, after so many `steps`."""
    original = task.train_step
    batches: list[Progress] = []

    def step(batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        batches.append(progress)
        if len(batches) > steps:
            raise RuntimeError("power cut")
        return original(batch, progress)

    task.train_step = step  # type: ignore[method-assign]
    return task
