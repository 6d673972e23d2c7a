"""Takes a task and a plan; gives the trained task and its rows, one an epoch, whatever comes between."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from synth.core.randomness import key_of
from synth.errors import InputError
from synth.record.atomic import disk_full_said, write_atomically
from synth.record.interrupt import Interrupt
from synth.record.progress import Steps
from synth.training.checkpoint import Checkpoints
from synth.training.curves import draw_curves, write_rows
from synth.training.samples import FOLDER
from synth.training.schedule import OneCycle, Schedule
from synth.training.task import Progress, Task

log = logging.getLogger(__name__)

Row = dict[str, float | int]
SAID_EVERY = 60.0  # seconds between two lines of a training whose output is piped


@dataclass(frozen=True)
class Plan:
    """How long and in which order a task is trained.

    Args:
        epochs: passes over the data.
        batch: samples a step; what is left over at the end of an epoch waits for the next, whose order is
            another.
        seed: with the epoch it gives the order, with the epoch and the step every other draw.
        early_stopping: epochs without a better validation number after which training stops and the weights
            of the best epoch come back; None trains to the end and keeps the last weights.
        keep_checkpoints: whether each epoch's weights stay, as ``checkpoints/epoch_007.safetensors``.
        checkpoint_seconds: at most so much training is lost to a kill.
        settings: what else must be the same for a checkpoint to be taken up again.
    """

    epochs: int
    batch: int
    seed: int = 0
    schedule: Schedule = field(default_factory=OneCycle)
    early_stopping: int | None = None
    keep_checkpoints: bool = False
    checkpoint_seconds: float = 25.0
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("batch", self.batch)):
            if value < 1:
                raise InputError(f"{name}={value}: a whole number, at least 1.")
        if self.early_stopping is not None and self.early_stopping < 1:
            raise InputError(
                f"early_stopping={self.early_stopping}: epochs of patience, at least 1, or null."
            )

    def record(self) -> dict[str, Any]:
        """What a checkpoint must agree with."""
        own = {"epochs": self.epochs, "batch": self.batch, "seed": self.seed}
        return {**own, "early_stopping": self.early_stopping, **self.settings}


class Loop:
    """Epochs, order, learning rates, checkpoints, curves and stopping of one training, for every `Task`.

    A second `Loop` on the same folder goes on where the first was stopped, killed or interrupted, in the
    middle of an epoch too; on a CPU its weights are then those of an uninterrupted run, bit for bit.
    """

    def __init__(self, task: Task, folder: Path, plan: Plan) -> None:
        if task.samples < 1:
            raise InputError("there is nothing to train on: no samples.")
        self.task, self.folder, self.plan = task, folder, plan
        self.checkpoints = Checkpoints(folder)
        self.rows: list[Row] = []
        self.stopped_early = False
        self.batch = min(plan.batch, task.samples)
        self.steps = task.samples // self.batch
        self._rates = {
            name: [g["lr"] for g in o.param_groups] for name, o in task.optimisers().items()
        }
        self._epoch, self._step = 0, 0
        self._totals: dict[str, Tensor] = {}
        self._last_good: Tensor | None = (
            None  # on the device: the step after which the totals were finite
        )
        self._seconds = 0.0
        self._saved = self._looked = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent in finished epochs, over all the runs that this training was spread over."""
        return float(sum(row["seconds"] for row in self.rows))

    def run(self) -> list[Row]:
        """Trains to the end of the plan, or until early stopping.

        Raises:
            InputError: the loss stopped being a number, the disk is full, or a checkpoint of other settings
                is there.
            KeyboardInterrupt: after Ctrl-C, once the state is saved.
        """
        kept = "The last good checkpoint is kept: free some space and give the same command again."
        devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
        with (
            disk_full_said(self.folder, kept),
            torch.random.fork_rng(devices),
            Interrupt() as interrupt,
        ):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._resume()
            with Steps("training", self.plan.epochs * self.steps, SAID_EVERY) as bar:
                try:
                    while self._epoch < self.plan.epochs and not self.stopped_early:
                        self._train_epoch(bar, interrupt)
                finally:
                    self._draw()
            if self.plan.early_stopping is not None:
                self._return_to_best()
        for module in (
            self.task.modules().values()
        ):  # those of a training that was over already have seen no epoch end
            module.eval()
        return self.rows

    def _train_epoch(self, bar: Steps, interrupt: Interrupt) -> None:
        started = time.monotonic() - self._seconds
        order = torch.randperm(
            self.task.samples, generator=_generator(self.plan.seed, "order", self._epoch)
        )
        for module in self.task.modules().values():
            module.train()
        while self._step < self.steps:
            self._train_step(order)
            self._seconds = time.monotonic() - started
            if time.monotonic() - self._looked > 1:
                said = f"epoch {self._epoch + 1}/{self.plan.epochs}, loss {self._look():.3f}"
                bar.at(self._epoch * self.steps + self._step, said)
            if interrupt.asked:
                self._save()
                self._leave(f"in epoch {self._epoch + 1}, step {self._step} of {self.steps}")
            if time.monotonic() - self._saved > self.plan.checkpoint_seconds:
                self._save()
        self._look()
        row = self._close_epoch(started)
        bar.say(self._line(row))
        if interrupt.asked:
            self._leave(f"after epoch {self._epoch} of {self.plan.epochs}")

    def _line(self, row: Row) -> str:
        """A finished epoch in a line."""
        numbers = "  ".join(
            f"{name} {value:.4g}" for name, value in row.items() if name not in {"step", "seconds"}
        )
        return f"epoch {int(row['step'])}/{self.plan.epochs}  {numbers}  {row['seconds']:.0f} s"

    def _leave(self, where: str) -> NoReturn:
        log.warning(
            "Stopped %s; saved. The same command with folder=%s goes on from there.",
            where,
            self.folder,
        )
        raise KeyboardInterrupt

    def _train_step(self, order: Tensor) -> None:
        done = self._epoch * self.steps + self._step
        share = done / (self.plan.epochs * self.steps)
        self._set_rates(self.plan.schedule(share))
        torch.manual_seed(key_of(self.plan.seed, "global", self._epoch, self._step))
        generator = _generator(self.plan.seed, "draws", self._epoch, self._step)
        batch = order[self._step * self.batch : (self._step + 1) * self.batch]
        terms = self.task.train_step(batch, Progress(self._epoch, self._step, share, generator))
        if not self._totals:
            self._totals = {
                name: torch.zeros_like(term, dtype=torch.float32) for name, term in terms.items()
            }
        self._step += 1
        for name, term in terms.items():
            self._totals[name] += term
        # A total that is not finite stays so: one number on the device keeps the step, and nobody waits here.
        finite = torch.stack([total.isfinite().all() for total in self._totals.values()]).all()
        before = (
            torch.zeros_like(finite, dtype=torch.int64)
            if self._last_good is None
            else self._last_good
        )
        self._last_good = torch.where(finite, self._step, before)

    def _close_epoch(self, started: float) -> Row:
        means = {f"train_{name}": total.item() / self.steps for name, total in self._totals.items()}
        for module in self.task.modules().values():
            module.eval()
        measured = self.task.validate()
        lost = [name for name, value in measured.items() if not math.isfinite(value)]
        if lost:
            raise InputError(self._lost(f"{', '.join(lost)} became NaN or infinite"))
        rate = next(iter(self.task.optimisers().values())).param_groups[0]["lr"]
        elapsed = time.monotonic() - started
        self._epoch, self._step, self._seconds = self._epoch + 1, 0, 0.0
        self._totals, self._last_good = {}, None
        row: Row = {
            "step": self._epoch,
            **means,
            **measured,
            "rate": rate,
            "seconds": round(elapsed, 3),
        }
        self.rows.append(row)
        self._keep(row)
        self._save()
        write_rows(self.folder / "steps.jsonl", self.rows)
        self.task.sample(self.folder / FOLDER, self._epoch)
        return row

    def _keep(self, row: Row) -> None:
        """This epoch's weights, where they are asked for, and early stopping's account of the best epoch."""
        if self.plan.keep_checkpoints:
            path = self.folder / "checkpoints" / f"epoch_{self._epoch:03d}.safetensors"
            path.parent.mkdir(exist_ok=True)
            self.task.export(path, row)
        if self.plan.early_stopping is None:
            return
        best = min(range(len(self.rows)), key=lambda place: self.rows[place][self.task.monitored])
        if best == len(self.rows) - 1:
            tensors = {
                f"{name}/{key}": value.detach().cpu().contiguous()
                for name, module in self.task.modules().items()
                for key, value in module.state_dict().items()
            }
            write_atomically(self._best, to_bytes(tensors))
        self.stopped_early = len(self.rows) - 1 - best >= self.plan.early_stopping

    @property
    def _best(self) -> Path:
        return self.folder / "checkpoint.best.safetensors"

    def _return_to_best(self) -> None:
        tensors = load_file(self._best)
        for name, module in self.task.modules().items():
            own = {
                key.removeprefix(name + "/"): value
                for key, value in tensors.items()
                if key.startswith(name + "/")
            }
            module.load_state_dict(own)

    def _set_rates(self, factor: float) -> None:
        for name, optimiser in self.task.optimisers().items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    def _look(self) -> float:
        """The mean loss of the epoch so far; waits for the device, so it is called about once a second.

        Raises:
            InputError: when a loss has stopped being finite: where, and what to try.
        """
        self._looked = time.monotonic()
        good = self._step if self._last_good is None else int(self._last_good.item())
        if good < self._step:
            raise InputError(
                self._lost(f"the loss became NaN or infinite in step {good + 1} of {self.steps}")
            )
        first = next(iter(self._totals.values()), None)
        return math.nan if first is None else first.item() / self._step

    def _lost(self, what: str) -> str:
        kept = self.checkpoints.newest
        where = (
            f"The last good state is {kept}"
            if kept.exists()
            else "No checkpoint had been written yet"
        )
        return f"epoch {self._epoch + 1}: {what}. {where}; try a lower rate in another folder."

    def _save(self) -> None:
        self._look()
        state = self.task.state_dict()
        for name, weights in state["modules"].items():
            if not all(tensor.isfinite().all() for tensor in weights.values()):
                raise InputError(
                    self._lost(
                        f"weights of {name} became NaN or infinite before step {self._step + 1}"
                    )
                )
        loop = {
            "plan": self.plan.record(),
            "rows": self.rows,
            "epoch": self._epoch,
            "step": self._step,
            "totals": self._totals,
            "seconds": self._seconds,
            "stopped_early": self.stopped_early,
        }
        self.checkpoints.save({"task": state, "loop": loop})
        self._saved = time.monotonic()

    def _resume(self) -> None:
        state = self.checkpoints.load()
        if state is None:
            return
        loop, plan = state["loop"], self.plan.record()
        for name, value in plan.items():
            if loop["plan"].get(name) != value:
                there = loop["plan"].get(name)
                raise InputError(
                    f"{name}={value}: the checkpoint in {self.folder} was made with {name}={there}; "
                    f"give that again, or another folder."
                )
        self.task.load_state_dict(state["task"])
        device = next(next(iter(self.task.modules().values())).parameters()).device
        self.rows, self.stopped_early = loop["rows"], loop["stopped_early"]
        self._epoch, self._step, self._seconds = loop["epoch"], loop["step"], loop["seconds"]
        self._totals = {name: total.to(device) for name, total in loop["totals"].items()}
        self._last_good = torch.tensor(self._step, device=device)
        write_rows(self.folder / "steps.jsonl", self.rows)
        log.info(
            "Going on from %s: epoch %d, step %d.",
            self.checkpoints.newest,
            self._epoch + 1,
            self._step,
        )

    def _draw(self) -> None:
        if self.rows:
            draw_curves(self.folder / "curves.png", self.rows, self.task.panels())


def _generator(seed: int, *place: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(key_of(seed, *place))
