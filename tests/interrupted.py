"""Runs and trainings that are interrupted at a chosen step.

With the fixture `often` runs save a checkpoint after every step.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from torch import Tensor

import synth.jobs
from synth.cli.command import main
from synth.engine import experiment, observer
from synth.engine.experiment import Experiment
from synth.training.task import Progress, Task


class Forked:
    """The console script in a fork of this process, with a checkpoint and a flush every step.

    It has imported everything already, where a process of its own would import torch for seconds.

    Args:
        words: of the command line.
        cwd: the folder in which it runs; its output goes to ``log.txt`` there.
    """

    def __init__(self, *words: str, cwd: Path) -> None:
        self._log = cwd / "log.txt"
        # imported here, so that a first fork does not import them for itself
        for module in pkgutil.walk_packages(synth.jobs.__path__, "synth.jobs."):
            importlib.import_module(module.name)
        self._process = get_context("fork").Process(target=self._run, args=(words, cwd))
        with warnings.catch_warnings():  # of threads, which none of what is run here waits for
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()

    def _run(self, words: Sequence[str], cwd: Path) -> None:
        os.chdir(cwd)
        sys.stdout = sys.stderr = self._log.open("w", encoding="utf-8")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        logging.getLogger("synth").handlers = []
        observer.CHECKPOINT_EVERY = experiment.REPORT_EVERY = 0.0
        sys.argv = ["synth", *words]
        main()

    @property
    def log(self) -> str:
        """Its output so far."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def wait_for_step(self, folder: Path, step: int) -> None:
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
            assert self._process.exitcode is None, self.log
            time.sleep(0.01)
        raise AssertionError(f"{folder} has no step {step} and no checkpoint after 100 s")

    def end_by(self, number: signal.Signals) -> int | None:
        """Sends a signal; the exit code, minus the signal's number where that ended it."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)
        self._process.join(60)
        return self._process.exitcode


def at_step(run: Experiment, number: int, act: Callable[[], Any]) -> Experiment:
    """`run`, whose search calls `act` before step `number`."""
    original = run.search_method.step

    def step(problem: Any, rows: Any, state: Any, index: int) -> Any:
        if index == number:
            act()
        return original(problem, rows, state, index)

    run.search_method.step = step  # type: ignore[method-assign]
    return run


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
