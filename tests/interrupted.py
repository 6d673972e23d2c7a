"""Runs and trainings that are interrupted at a chosen step.

With the fixture `often` runs save a checkpoint after every step.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from synth.engine.experiment import Experiment
from synth.training.task import Progress, Task

# the console script with a checkpoint and a flush after every step
DRIVER = (
    "import sys; sys.argv[0] = 'synth'\n"
    "from synth.cli.command import main\n"
    "from synth.engine import experiment, observer\n"
    "observer.CHECKPOINT_EVERY = experiment.REPORT_EVERY = 0.0\n"
    "main()"
)


def wait_for_step(folder: Path, step: int, process: subprocess.Popen[str]) -> None:
    """Returns once steps.jsonl has more than `step` lines and there is a checkpoint."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        steps = folder / "steps.jsonl"
        if (
            steps.exists()
            and steps.read_bytes().count(b"\n") > step
            and (folder / "checkpoint.safetensors").exists()
        ):
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    raise AssertionError(f"{folder} has no step {step} and no checkpoint after 100 s")


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
