"""Runs and trainings that are cut short at a chosen step; the fixture `often` makes runs save after every one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from synth.engine.experiment import Experiment
from synth.training.task import Progress, Task


def at_step(made: Experiment, number: int, act: Callable[[], Any]) -> Experiment:
    """`act` happens before step `number` of the search is taken."""
    usual = made.search_method.step

    def step(problem: Any, rows: Any, state: Any, now: int) -> Any:
        if now == number:
            act()
        return usual(problem, rows, state, now)

    made.search_method.step = step  # type: ignore[method-assign]
    return made


def power_cut_after(task: Task, steps: int) -> Task:
    """`task`, whose training ends in a RuntimeError, ``power cut``, once it has taken so many `steps`."""
    usual, taken = task.train_step, []

    def step(batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        taken.append(progress)
        if len(taken) > steps:
            raise RuntimeError("power cut")
        return usual(batch, progress)

    task.train_step = step  # type: ignore[method-assign]
    return task
