"""Event files: the numbers of steps.jsonl as TensorBoard reads them, and what is refused."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from console import Synth, result_of, steps_of
from small_worlds import write_colour_folders

from synth.errors import InputError
from synth.record.folder_record import FolderRecord
from synth.record.tensorboard import EventFiles
from synth.training.classifier.train_classifier import TrainClassifier

pytest_plugins = "console_fixtures"

WORDS = "fooling_gradient", "target=lemon", "search.steps=3", "until=null"


def test_event_files_hold_the_numbers_of_steps(synth: Synth, weights: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    words = *WORDS, f"network.weights={weights}"
    assert synth(*words, "folder=alone").code == 0
    ran = synth(*words, "folder=logged", "log=tensorboard")
    assert ran.code == 0, ran.err
    lines = steps_of(Path("logged"))
    events = EventAccumulator("logged/tensorboard").Reload()
    for tag, values in {
        "best": [line["best"] for line in lines],
        "terms/class": [line["terms"]["class"] for line in lines],
        "backwards": [line["backwards"] for line in lines],
    }.items():
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [0, 1, 2]
        assert [scalar.value for scalar in scalars] == pytest.approx(values)
    assert not Path("alone/tensorboard").exists()
    same = result_of(Path("alone"))["configuration"] == result_of(Path("logged"))["configuration"]
    assert same


def test_experiments_have_folders_of_their_own_and_repeated_steps_count_once(
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for last in (3, 2):  # killed after step 2, resumed at step 1
        with EventFiles(tmp_path, "tensorboard") as events:
            first = 0 if last == 3 else 1
            events.write("cma", [{"step": s, "best": last} for s in range(first, 3)])
            events.write("cma", [{"epoch": 1, "best": 0.0}])
    scalars = EventAccumulator(str(tmp_path / "tensorboard/cma")).Reload().Scalars("best")
    assert [(scalar.step, scalar.value) for scalar in scalars] == [(0, 3), (1, 2), (2, 2)]


def test_trainings_write_their_epochs_too(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    images = write_colour_folders(tmp_path / "images", 6, 16, ("red", "blue"))
    record = FolderRecord(tmp_path / "run")
    with EventFiles(record.folder, "tensorboard") as record.events:
        TrainClassifier(
            images, architecture="micro_alexnet", size=16, epochs=2, batch=4, device="cpu"
        ).run(record)
    events = EventAccumulator(str(record.folder / "tensorboard")).Reload()
    rows = [json.loads(line) for line in (record.folder / "steps.jsonl").read_text().splitlines()]
    scalars = events.Scalars("train_loss")
    assert [(scalar.step, scalar.value) for scalar in scalars] == [
        (row["step"], pytest.approx(row["train_loss"])) for row in rows
    ]


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="log=wandb: write tensorboard or null"):
        EventFiles(tmp_path, "wandb")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"log=tensorboard: not installed; pip install synth"):
        EventFiles(tmp_path, "tensorboard")
