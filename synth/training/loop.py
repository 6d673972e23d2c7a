"""The training loop: epochs, order, learning rates, checkpoints, curves and early stopping."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from synth.core.randomness import key_of
from synth.errors import InputError
from synth.record.atomic import report_full_disk, write_atomically
from synth.record.checkpoint import UNREADABLE, Checkpoint, marked, read_marked
from synth.record.folder_record import BEST
from synth.record.interrupt import Interrupt
from synth.record.progress import Steps
from synth.record.result import MALFORMED, Json
from synth.training.curves import draw_curves, write_rows
from synth.training.plan import Plan
from synth.training.samples import FOLDER
from synth.training.state import flatten, restore
from synth.training.task import Progress, Row, Task

log = logging.getLogger(__name__)

LOG_EVERY = 60.0  # seconds between two log lines where the output is piped
CHECK_EVERY = 1.0  # seconds between two checks of the loss, each of which waits for the device


class Loop:
    """Trains one task by one plan in one folder.

    A second `Loop` on the same folder resumes where the first was stopped, killed or interrupted,
    also in the middle of an epoch; on a CPU its weights are then bit-equal to those of an
    uninterrupted training. There is no state of random number generators to restore: the order of
    an epoch is drawn from seed and epoch, and every other draw of a step from seed, epoch and step.

    Args:
        task: what is trained; its models are changed in place.
        folder: where checkpoints, ``steps.jsonl``, ``curves.png`` and samples are written.
        plan: epochs, batch, seed, schedule, early stopping.
        part: name of a training that is one of several of a job: its epochs are not printed, and
            its curves not drawn.
        run_folder: what the user writes for the command to go on; `folder` by default.
        report: called with the numbers of each epoch.

    Raises:
        InputError: the task has no samples.
    """

    def __init__(
        self,
        task: Task,
        folder: Path,
        plan: Plan,
        part: str | None = None,
        run_folder: Path | None = None,
        report: Callable[[Sequence[Row]], None] = lambda rows: None,
    ) -> None:
        if task.samples < 1:
            raise InputError("there is nothing to train on: no samples.")
        self.task, self.folder, self.plan = task, folder, plan
        self.part, self.run_folder, self.report = part, run_folder or folder, report
        self.checkpoint = Checkpoint(folder)
        self.rows: list[Row] = []
        self.stopped_early = False
        self.batch = min(plan.batch, task.samples)
        self.steps = task.samples // self.batch
        self._rates = {
            name: [group["lr"] for group in optimiser.param_groups]
            for name, optimiser in task.optimisers().items()
        }
        self._epoch = 0
        self._step = 0
        self._totals: dict[str, Tensor] = {}  # sums of the epoch's terms, on the device
        self._last_good: Tensor | None = None  # on the device: the last step with finite totals
        self._seconds = 0.0  # spent in the current epoch
        self._last_save = self._last_check = time.monotonic()

    @property
    def stopped_in_warmup(self) -> bool:
        """Whether patience ran out while the learning rate was still rising."""
        return self.stopped_early and self._epoch <= self.plan.schedule.warmup * self.plan.epochs

    @property
    def seconds(self) -> float:
        """Seconds spent in finished epochs, over all the processes that the training ran in."""
        return float(sum(row["seconds"] for row in self.rows))

    def run(self) -> list[Row]:
        """Trains to the end of the plan, or until early stopping.

        Returns:
            The numbers of each epoch.

        Raises:
            InputError: the loss is not finite, the disk is full, or the folder holds a checkpoint
                of other settings.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, once the state is saved.
        """
        devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
        with (
            report_full_disk(self.folder, self.checkpoint.after_full_disk),
            torch.random.fork_rng(devices),
            Interrupt() as interrupt,
        ):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._resume()
            with Steps(self.part or "training", self.plan.epochs * self.steps, LOG_EVERY) as bar:
                try:
                    while self._epoch < self.plan.epochs and not self.stopped_early:
                        self._train_epoch(bar, interrupt)
                finally:
                    self._draw()
            if self.plan.early_stopping is not None:
                self._restore_best()
            if self.stopped_in_warmup:
                log.warning(
                    "early_stopping=%s: its patience ran out in epoch %d, inside the warm-up, in "
                    "which the rate rises until epoch %g of %d; write more epochs of patience",
                    self.plan.early_stopping,
                    self._epoch,
                    round(self.plan.schedule.warmup * self.plan.epochs, 1),
                    self.plan.epochs,
                )
        # a training that was finished already has not passed the end of an epoch
        for module in self.task.modules().values():
            module.eval()
        return self.rows

    def _train_epoch(self, bar: Steps, interrupt: Interrupt) -> None:
        start = time.monotonic() - self._seconds
        generator = _generator(self.plan.seed, "order", self._epoch)
        order = torch.randperm(self.task.samples, generator=generator)
        for module in self.task.modules().values():
            module.train()
        while self._step < self.steps:
            self._train_step(order)
            self._seconds = time.monotonic() - start
            if time.monotonic() - self._last_check > CHECK_EVERY:
                status = f"epoch {self._epoch + 1}/{self.plan.epochs}, loss {self._mean_loss():.3f}"
                bar.at(self._epoch * self.steps + self._step, status)
            if interrupt.requested:
                self._save()
                self._stop(f"in epoch {self._epoch + 1}, step {self._step} of {self.steps}")
            if time.monotonic() - self._last_save > self.plan.checkpoint_seconds:
                self._save()
        self._mean_loss()
        row = self._close_epoch(start)
        if self.part is None:
            bar.say(self._line(row))
        if interrupt.requested:
            self._save()
            self._stop(f"after epoch {self._epoch} of {self.plan.epochs}")

    def _line(self, row: Row) -> str:
        """A finished epoch in a line."""
        numbers = "  ".join(
            f"{name} {value:.4g}" for name, value in row.items() if name not in {"step", "seconds"}
        )
        return f"epoch {int(row['step'])}/{self.plan.epochs}  {numbers}  {row['seconds']:.0f} s"

    def _stop(self, where: str) -> NoReturn:
        log.warning(
            "Stopped %s; saved. The same command with folder=%s goes on from there.",
            where,
            self.run_folder,
        )
        raise KeyboardInterrupt

    def _train_step(self, order: Tensor) -> None:
        steps_done = self._epoch * self.steps + self._step
        share = steps_done / (self.plan.epochs * self.steps)
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
        # A total that is not finite stays so; the step stays on the device, so nothing waits here.
        finite = torch.stack([total.isfinite().all() for total in self._totals.values()]).all()
        if self._last_good is None:
            self._last_good = torch.zeros_like(finite, dtype=torch.int64)
        self._last_good = torch.where(finite, self._step, self._last_good)

    def _close_epoch(self, start: float) -> Row:
        means = {f"train_{name}": total.item() / self.steps for name, total in self._totals.items()}
        for module in self.task.modules().values():
            module.eval()
        metrics = self.task.validate()
        wrong = [name for name, value in metrics.items() if not math.isfinite(value)]
        if wrong:
            raise InputError(self._divergence(f"{', '.join(wrong)} became NaN or infinite"))
        rate = next(iter(self.task.optimisers().values())).param_groups[0]["lr"]
        elapsed = time.monotonic() - start
        self._epoch += 1
        self._step = 0
        self._seconds = 0.0
        self._totals = {}
        self._last_good = None
        row: Row = {
            "step": self._epoch,
            **means,
            **metrics,
            "rate": rate,
            "seconds": round(elapsed, 3),
        }
        self.rows.append(row)
        every = int(self.plan.keep_checkpoints)
        if every and (self._epoch % every == 0 or self._epoch == self.plan.epochs):
            self._export(row)
        if self.plan.early_stopping is not None:
            self._compare_with_best(self.plan.early_stopping)
        # before the checkpoint: a training that is killed after it never comes back here
        self.task.sample(self.folder / FOLDER, self._epoch)
        # one of several trainings is short, and begins its last seconds again
        if self.part is None or time.monotonic() - self._last_save > self.plan.checkpoint_seconds:
            self._save()
            write_rows(self.folder / "steps.jsonl", self.rows)
        self.report([row])
        return row

    def _export(self, row: Row) -> None:
        """Keeps the weights of this epoch."""
        path = self.folder / "checkpoints" / f"epoch_{self._epoch:03d}.safetensors"
        path.parent.mkdir(exist_ok=True)
        self.task.export(path, row)

    def _compare_with_best(self, patience: int) -> None:
        """Keeps the weights of the best epoch; decides whether training stops early."""
        sign = -1 if self.task.maximised else 1
        values = [sign * row[self.task.monitored] for row in self.rows]
        best = values.index(min(values))
        if best == len(self.rows) - 1:
            tensors = {
                f"{name}/{key}": value
                for name, module in self.task.modules().items()
                for key, value in module.state_dict().items()
            }
            write_atomically(self.folder / BEST, marked(tensors))
        self.stopped_early = len(self.rows) - 1 - best >= patience

    def _restore_best(self) -> None:
        path = self.folder / BEST
        try:
            tensors, _ = read_marked(path)
            for name, module in self.task.modules().items():
                prefix = f"{name}/"
                weights = {
                    key.removeprefix(prefix): value
                    for key, value in tensors.items()
                    if key.startswith(prefix)
                }
                module.load_state_dict(weights)
        except (*UNREADABLE, RuntimeError) as error:
            raise InputError(
                f"folder={self.folder}: {BEST}, the weights of the best epoch, is damaged or "
                "gone; name another folder, or write early_stopping=null."
            ) from error

    def _set_rates(self, factor: float) -> None:
        for name, optimiser in self.task.optimisers().items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    def _mean_loss(self) -> float:
        """The mean loss of the epoch so far; waits for the device, so it is called rarely.

        Raises:
            InputError: a loss is no longer finite; names the step and what to try.
        """
        self._last_check = time.monotonic()
        good = self._step if self._last_good is None else int(self._last_good.item())
        if good < self._step:
            problem = f"the loss became NaN or infinite in step {good + 1} of {self.steps}"
            raise InputError(self._divergence(problem))
        first = next(iter(self._totals.values()), None)
        return math.nan if first is None else first.item() / self._step

    def _divergence(self, problem: str) -> str:
        path = self.checkpoint.newest
        where = (
            f"The last good state is {path}"
            if path.exists()
            else "No checkpoint had been written yet"
        )
        return f"epoch {self._epoch + 1}: {problem}. {where}; try a lower rate in another folder."

    # -- checkpoint ------------------------------------------------------------------------------

    def _save(self) -> None:
        """Saves the state, unless a loss or a weight is not finite."""
        self._mean_loss()
        state = self.task.state_dict()
        for name, weights in state["modules"].items():
            if not all(tensor.isfinite().all() for tensor in weights.values()):
                problem = f"weights of {name} became NaN or infinite before step {self._step + 1}"
                raise InputError(self._divergence(problem))
        tensors, structure = flatten({"task": state, "totals": self._totals}, "state")
        counters = {
            "plan": self.plan.record(),
            "rows": self.rows,
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self._seconds,
            "stopped_early": self.stopped_early,
        }
        self.checkpoint.save(tensors, {"training": counters, "state": structure})
        self._last_save = time.monotonic()

    def _resume(self) -> None:
        checkpoint = self.checkpoint.load(required=True)
        if checkpoint is None:
            return
        tensors, about = checkpoint
        if "training" not in about:
            raise InputError(
                f"folder={self.folder}: holds the checkpoint of a run that is no training; "
                "name another folder."
            )
        try:
            self._restore(about["training"], restore(about["state"], tensors))
        except (*MALFORMED, RuntimeError) as error:
            raise InputError(
                f"folder={self.folder}: {self.checkpoint.newest.name} holds no state of this "
                "training, or one of another version of synth; name another folder."
            ) from error
        write_rows(self.folder / "steps.jsonl", self.rows)
        log.info(
            "Going on from %s: epoch %d, step %d.",
            self.checkpoint.newest,
            self._epoch + 1,
            self._step,
        )

    def _restore(self, counters: Mapping[str, Json], state: Mapping[str, Json]) -> None:
        """Takes over the counters and the state of a checkpoint."""
        self.plan.check_same(counters["plan"], self.folder)
        self.task.load_state_dict(state["task"])
        device = next(next(iter(self.task.modules().values())).parameters()).device
        self.rows = counters["rows"]
        self.stopped_early = counters["stopped_early"]
        self._epoch = counters["epoch"]
        self._step = counters["step"]
        self._seconds = counters["seconds"]
        self._totals = {name: total.to(device) for name, total in state["totals"].items()}
        self._last_good = torch.tensor(self._step, device=device)

    def _draw(self) -> None:
        if self.rows and self.part is None:
            draw_curves(self.folder / "curves.png", self.rows, self.task.panels())


def _generator(seed: int, *place: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(key_of(seed, *place))
