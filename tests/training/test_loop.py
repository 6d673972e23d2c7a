"""The training loop against steps written by hand; resumes against an uninterrupted training."""

from __future__ import annotations

import copy
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import power_cut_after
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from synth.data.augmentation import Augmentation
from synth.data.class_folders import LabelledPictures
from synth.errors import InputError
from synth.record import atomic
from synth.record.checkpoint import Checkpoint
from synth.training.classifier.task import ClassifierTask, Normalisation
from synth.training.loop import Loop
from synth.training.plan import Plan
from synth.training.schedule import Constant, OneCycle
from synth.training.task import Progress, Task

MakeTask = Callable[..., ClassifierTask]
PLAN = Plan(epochs=3, batch=8, seed=3, checkpoint_seconds=0.0)
STEPS = 5


class Stub(Task):
    """One weight, increased by 1 a step; losses and validation losses are given."""

    def __init__(
        self,
        validation: Sequence[float] = (1.0,) * 20,
        loss: Callable[[Progress], float] = lambda _: 1.0,
    ) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1.0)
        self.validation, self.loss = iter(validation), loss
        self.sampled: list[int] = []

    @property
    def samples(self) -> int:
        return 6

    def modules(self) -> dict[str, nn.Module]:
        return {"network": self.network}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"sgd": self.optimiser}

    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        self.network.weight.data += 1
        return {"loss": torch.tensor(self.loss(progress))}

    def validate(self) -> dict[str, float]:
        return {"validation_loss": next(self.validation)}

    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        path.write_text(str(row["step"]))

    def panels(self) -> dict[str, Sequence[str]]:
        return {"Loss": ("train_loss", "validation_loss")}

    def sample(self, folder: Path, epoch: int) -> None:
        self.sampled.append(epoch)


def weights(task: Task) -> dict[str, Tensor]:
    return copy.deepcopy(next(iter(task.modules().values())).state_dict())


def counters(folder: Path) -> dict[str, Any] | None:
    """Epoch, step and rows in the newest checkpoint."""
    checkpoint = Checkpoint(folder).load()
    return None if checkpoint is None else checkpoint[1]["training"]


def assert_same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_an_epoch_is_nesterov_sgd_written_by_hand(make_task: MakeTask, tmp_path: Path) -> None:
    rate, momentum, decay = 0.05, 0.9, 0.01
    task = make_task(rate=rate, weight_decay=decay)
    by_hand = copy.deepcopy(task.network).train()
    velocity: dict[str, Tensor] = {}
    batches: list[Tensor] = []
    step = task.train_step
    task.train_step = lambda batch, progress: batches.append(batch) or step(batch, progress)
    Loop(task, tmp_path, Plan(1, 8, schedule=Constant())).run()
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (task.normalise.mean, task.normalise.std)
    )
    assert torch.cat(batches).sort().values.tolist() == list(range(40))
    for batch in batches:
        pictures = (task.training.pictures[batch].float() / 255 - mean) / std
        loss = functional.cross_entropy(by_hand(pictures), task.training.labels[batch])
        gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
        with torch.no_grad():
            for (name, weight), gradient in zip(by_hand.named_parameters(), gradients, strict=True):
                decayed = gradient + decay * weight * (weight.ndim > 1)
                velocity[name] = (
                    decayed if name not in velocity else momentum * velocity[name] + decayed
                )
                weight -= rate * (decayed + momentum * velocity[name])
    for name, weight in by_hand.named_parameters():
        torch.testing.assert_close(task.network.get_parameter(name), weight, rtol=1e-4, atol=1e-6)


def test_one_cycle_is_torchs() -> None:
    total = 4000
    weight = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        1.0,
        total,
        pct_start=0.2,
        div_factor=10,
        final_div_factor=1000,
        cycle_momentum=False,
    )
    mine = OneCycle(warmup=0.2, start=0.1, end=1e-4)
    for step in range(total - 1):
        assert mine(step / total) == pytest.approx(torchs.get_last_lr()[0], abs=3e-3), step
        optimiser.step()
        torchs.step()


@pytest.fixture
def uninterrupted(make_task: MakeTask, tmp_path: Path) -> dict[str, Tensor]:
    task = make_task(Augmentation(2, True), dropout=0.4, weight_decay=1e-3)
    Loop(task, tmp_path / "uninterrupted", PLAN).run()
    return weights(task)


@pytest.mark.parametrize(
    ("stop", "seconds"), [(1, 0.0), (7, 0.0), (14, 0.0), (7, 1000.0), (10, 1000.0)]
)
def test_a_resume_is_bit_equal(
    make_task: MakeTask, tmp_path: Path, uninterrupted: dict[str, Tensor], stop: int, seconds: float
) -> None:
    """Whether each step is saved or only each epoch, in mid-epoch (7) and between epochs (10)."""
    plan = replace(PLAN, checkpoint_seconds=seconds)
    task = make_task(Augmentation(2, True), dropout=0.4, weight_decay=1e-3)
    with pytest.raises(RuntimeError, match="power cut"):
        Loop(power_cut_after(task, stop), tmp_path / "cut", plan).run()
    torch.manual_seed(stop)  # the resumed process has other global draws behind it
    again = make_task(Augmentation(2, True), dropout=0.4, weight_decay=1e-3)
    rows = Loop(again, tmp_path / "cut", plan).run()
    assert_same(weights(again), uninterrupted)
    whole = [
        json.loads(line)
        for line in (tmp_path / "uninterrupted/steps.jsonl").read_text().splitlines()
    ]
    resumed = [json.loads(line) for line in (tmp_path / "cut/steps.jsonl").read_text().splitlines()]
    assert [{**row, "seconds": 0} for row in resumed] == [{**row, "seconds": 0} for row in whole]
    assert [row["step"] for row in rows] == [1, 2, 3]


def _trained(folder: Path, killed: bool = False) -> dict[str, Tensor]:
    """The weights after a training, whose process is killed in mid-epoch where that is asked."""
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8)
    data = LabelledPictures(pictures, torch.randint(0, 3, (40,)), ("a", "b", "c"))
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(192, 3))
    task = ClassifierTask(
        network,
        data,
        data,
        Normalisation.of(pictures),
        Augmentation(2, True),
        rate=0.01,
        momentum=0.9,
        weight_decay=1e-4,
        low_precision=False,
        save=lambda path, row: None,
    )
    step = task.train_step

    def counted(batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        if killed and (progress.epoch, progress.step) == (1, 3):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(batch, progress)

    task.train_step = counted  # type: ignore[method-assign]
    Loop(task, folder, Plan(3, 8, checkpoint_seconds=0.0)).run()
    return network.state_dict()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks after imports")
def test_a_resume_after_sigkill_in_mid_epoch(tmp_path: Path) -> None:
    """A process is killed without a chance to clean up; this one resumes in its folder."""
    process = get_context("fork").Process(target=_trained, args=(tmp_path / "killed", True))
    process.start()
    process.join(100)
    assert process.exitcode == -signal.SIGKILL
    state = counters(tmp_path / "killed")
    assert state is not None
    assert (state["epoch"], state["step"]) == (1, 3)
    assert_same(_trained(tmp_path / "killed"), _trained(tmp_path / "whole"))


def test_ctrl_c_saves_the_finished_step_and_says_where(
    make_task: MakeTask,
    tmp_path: Path,
    uninterrupted: dict[str, Tensor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = replace(PLAN, checkpoint_seconds=1000.0)
    task = make_task(Augmentation(2, True), dropout=0.4, weight_decay=1e-3)
    step = task.train_step

    def presses(batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        if (progress.epoch, progress.step) == (1, 2):
            os.kill(os.getpid(), signal.SIGINT)
        return step(batch, progress)

    task.train_step = presses
    with pytest.raises(KeyboardInterrupt):
        Loop(task, tmp_path / "c", plan).run()
    assert "epoch 2, step 3 of 5" in caplog.text
    assert str(tmp_path / "c") in caplog.text
    assert (tmp_path / "c/curves.png").exists()
    again = make_task(Augmentation(2, True), dropout=0.4, weight_decay=1e-3)
    Loop(again, tmp_path / "c", plan).run()
    assert_same(weights(again), uninterrupted)


def test_early_stopping_stops_and_gives_the_best_epoch_back(tmp_path: Path) -> None:
    task = Stub(validation=(3.0, 2.0, 1.0, 1.5, 1.2, 1.0, 0.5))
    loop = Loop(task, tmp_path, Plan(epochs=7, batch=2, early_stopping=3))
    rows = loop.run()
    assert loop.stopped_early
    assert [row["validation_loss"] for row in rows] == [3.0, 2.0, 1.0, 1.5, 1.2, 1.0]
    assert task.network.weight.item() == 9  # three epochs of three steps
    assert task.sampled == [1, 2, 3, 4, 5, 6]
    assert not loop.stopped_in_warmup


def test_patience_that_ends_in_the_warm_up_is_reported_and_more_may_be_better(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = Stub(validation=(3.0, 2.0, 4.0, 1.5) + (1.0,) * 16)
    task.maximised = True
    plan = Plan(epochs=20, batch=2, early_stopping=1, keep_checkpoints=2)
    loop = Loop(task, tmp_path, plan)
    loop.run()
    assert (len(loop.rows), loop.stopped_in_warmup) == (2, True)
    assert task.network.weight.item() == 3  # the first epoch was the best
    assert "its patience ran out in epoch 2, inside the warm-up" in caplog.text
    assert "the rate rises until epoch 4 of 20" in caplog.text
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch_002.safetensors"]


def test_without_patience_the_last_weights_stay(tmp_path: Path) -> None:
    task = Stub(validation=(1.0, 2.0, 3.0))
    loop = Loop(task, tmp_path, Plan(epochs=3, batch=4, keep_checkpoints=True))
    loop.run()
    assert not loop.stopped_early
    assert task.network.weight.item() == 3  # six samples: one batch of four, the other two wait
    files = sorted((tmp_path / "checkpoints").iterdir())
    assert [path.name for path in files] == [f"epoch_00{epoch}.safetensors" for epoch in (1, 2, 3)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good(tmp_path: Path, bad: float) -> None:
    task = Stub(loss=lambda progress: bad if (progress.epoch, progress.step) == (1, 1) else 1.0)
    with pytest.raises(
        InputError,
        match=r"epoch 2: the loss became NaN or infinite in step 2 of 3.*checkpoint\.safetensors",
    ):
        Loop(task, tmp_path, Plan(epochs=4, batch=2)).run()
    checkpoint = Checkpoint(tmp_path).load()
    assert checkpoint is not None
    tensors, about = checkpoint
    assert about["training"]["epoch"] == 1
    assert tensors["state/task/modules/network/weight"].item() == 3


def test_weights_and_validation_losses_that_are_no_numbers_are_not_saved(tmp_path: Path) -> None:
    task = Stub()
    task.network.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match="weights of network became NaN"):
        Loop(task, tmp_path, Plan(epochs=1, batch=2)).run()
    with pytest.raises(InputError, match="validation_loss became NaN"):
        Loop(Stub(validation=(float("nan"),)), tmp_path, Plan(epochs=1, batch=2)).run()
    assert Checkpoint(tmp_path).load() is None


def test_a_sheet_of_samples_is_drawn_before_the_checkpoint_of_its_epoch(tmp_path: Path) -> None:
    """A training that is killed after the checkpoint does not come back to the sheet."""
    task = Stub()
    epochs: list[int] = []

    def sample(folder: Path, epoch: int) -> None:
        state = counters(tmp_path)
        epochs.append(state["epoch"] if state else 0)
        if epoch == 2:
            raise RuntimeError("power cut")

    task.sample = sample  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="power cut"):
        Loop(task, tmp_path, Plan(epochs=3, batch=2)).run()
    assert epochs == [0, 1]
    again = Stub()
    Loop(again, tmp_path, Plan(epochs=3, batch=2)).run()
    assert again.sampled == [2, 3]


def test_a_checkpoint_of_another_form_is_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    for counters_ in ({}, {"plan": 5}, [], {"plan": Plan(epochs=1, batch=2).record()}):
        for state in ({}, {"dict": []}, {"dict": 7}, {"tensor": {"name": "none"}}, [1], None):
            checkpoint.save({}, {"training": counters_, "state": state})
            with pytest.raises(InputError, match=r"holds no state of this training|was made with"):
                Loop(Stub(), tmp_path, Plan(epochs=1, batch=2)).run()


def test_damaged_weights_of_the_best_epoch_are_refused(tmp_path: Path) -> None:
    plan = Plan(epochs=3, batch=2, early_stopping=1)
    Loop(Stub(validation=(1.0, 0.5, 0.7)), tmp_path, plan).run()
    best = tmp_path / "checkpoint.best.safetensors"
    content = bytearray(best.read_bytes())
    content[-1] ^= 1
    best.write_bytes(content)
    with pytest.raises(InputError, match="weights of the best epoch, is damaged"):
        Loop(Stub(validation=()), tmp_path, plan).run()
    best.unlink()
    with pytest.raises(InputError, match="is damaged or gone"):
        Loop(Stub(validation=()), tmp_path, plan).run()


def test_a_full_disk_leaves_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Loop(Stub(), tmp_path, Plan(epochs=2, batch=2)).run()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("checkpoint*")}
    assert before.keys() == {"checkpoint.safetensors", "checkpoint.previous"}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    (tmp_path / "steps.jsonl").unlink()
    with pytest.raises(InputError, match=r"the disk is full\. The last good checkpoint is kept"):
        Loop(Stub(), tmp_path, Plan(epochs=2, batch=2)).run()
    assert {path.name: path.read_bytes() for path in tmp_path.glob("checkpoint*")} == before
    monkeypatch.undo()
    assert len(Loop(Stub(), tmp_path, Plan(epochs=2, batch=2)).run()) == 2


def test_a_full_disk_in_mid_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync
    calls: list[int] = []

    def fills_up(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fills_up)
    with pytest.raises(InputError, match="the disk is full"):
        Loop(Stub(), tmp_path, Plan(epochs=5, batch=2)).run()
    state = counters(tmp_path)
    assert state is not None
    assert state["epoch"] == 2
    assert not list(tmp_path.glob("*.partial"))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    Loop(Stub(), tmp_path, Plan(epochs=1, batch=2, settings={"rate": 0.1})).run()
    with pytest.raises(
        InputError, match=r"rate=0\.2: the checkpoint in .* was made with rate=0\.1"
    ):
        Loop(Stub(), tmp_path, Plan(epochs=1, batch=2, settings={"rate": 0.2})).run()
    with pytest.raises(InputError, match=r"epochs=3: .* made with epochs=1"):
        Loop(Stub(), tmp_path, Plan(epochs=3, batch=2, settings={"rate": 0.1})).run()


def test_a_checkpoint_that_is_not_of_a_training_is_refused(tmp_path: Path) -> None:
    Checkpoint(tmp_path).save({}, {"identity": {}, "steps_bytes": 0})
    with pytest.raises(InputError, match=r"^folder=.*: holds the checkpoint of a run that is no"):
        Loop(Stub(), tmp_path, Plan(epochs=1, batch=2)).run()


def test_a_training_with_no_whole_checkpoint_is_refused(tmp_path: Path) -> None:
    Loop(Stub(), tmp_path, Plan(epochs=2, batch=2)).run()
    for name in ("checkpoint.safetensors", "checkpoint.previous"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(InputError, match="no checkpoint there is whole; delete them"):
        Loop(Stub(), tmp_path, Plan(epochs=2, batch=2)).run()


def test_a_training_begun_by_an_earlier_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(InputError, match=r"checkpoint\.pt of a training that was begun by an earl"):
        Loop(Stub(), tmp_path, Plan(epochs=2, batch=2)).run()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_the_plan_checks_its_numbers() -> None:
    for wrong in ({"epochs": 0}, {"batch": 0}, {"early_stopping": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Plan(**{"epochs": 1, "batch": 1, **wrong})


def test_epoch_files_hold_the_weights_of_their_epoch(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task()
    Loop(task, tmp_path, Plan(epochs=2, batch=8, keep_checkpoints=True)).run()
    last = load_file(tmp_path / "checkpoints/epoch_002.safetensors")
    first = load_file(tmp_path / "checkpoints/epoch_001.safetensors")
    assert torch.equal(last["fc.weight"], task.network.get_parameter("fc.weight").half())
    assert not torch.equal(last["fc.weight"], first["fc.weight"])
    assert last["norm.num_batches_tracked"].item() == 2 * STEPS
