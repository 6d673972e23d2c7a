"""Learning and memorising: what is trained, measured and kept, and what is refused."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from small_worlds import write_colour_folders

from synth.errors import InputError
from synth.jobs import _memorization_figures, memorization
from synth.jobs.memorization import Memorization, Training
from synth.networks.bundled import bundled
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord
from synth.training.classifier.task import ClassifierTask
from synth.training.plan import Plan

COLOURS = ("red", "green", "blue")
SHORT: dict[str, Any] = {
    "size": 16,
    "epochs": 3,
    "batch": 8,
    "holdout": 6,
    "pictures": 24,
    "data": ["true_labels", "random_labels"],
    "settings": ["none"],
    "critical_pictures": 5,
    "critical_steps": 2,
    "device": "cpu",
    "precision": "float32",
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_colour_folders(tmp_path / "images", 12, 16, COLOURS)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures take longer than these trainings; the contract of recipes draws them."""
    monkeypatch.setattr(_memorization_figures, "draw", lambda *_: [])


def test_true_labels_are_learned_and_a_short_training_is_said_to_be_short(
    images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = MemoryRecord()
    settings = {"epochs": 12, "seeds": [3], "data": ["true_labels", "random_labels", "gaussian"]}
    result = Memorization(images, **{**SHORT, **settings}).run(record)
    findings, table = result.findings, result.findings["trainings"]
    names = [(row["data"], row["regularisation"], row["seed"]) for row in table]
    assert names == [
        ("true labels", "none", 3),
        ("random labels", "none", 3),
        ("gaussian", "none", 3),
        ("true labels", "dropout alone", 3),
        ("random labels", "dropout alone", 3),
        ("true labels", "critical samples", 3),
        ("random labels", "critical samples", 3),
    ]
    assert (findings["pictures"], findings["validation_pictures"]) == (24, 6)
    assert findings["parameters_per_sample"] == round(findings["parameters"] / 24, 2)
    true, other, noise, _, _, critical, random_critical = table
    assert true["train_accuracy"] == true["validation_accuracy"] == 1
    assert true["memorised_in_epoch"] <= 12
    assert findings["random_labels_memorised"] == other["train_accuracy"] < 0.99
    assert findings["trainings_too_short"] == 1
    assert "epochs=12: too short to memorise" in caplog.text
    assert "random labels, no regularisation, seed 3; write more epochs" in caplog.text
    for row, measured in ((true, True), (noise, False), (critical, True)):
        assert (row["critical_sample_ratio"] is not None) == measured
    assert 1 <= true["labels_near_a_sample"] <= 3
    assert findings["critical_sample_ratio_random_labels"] == other["critical_sample_ratio"]
    fall = other["train_accuracy"] - random_critical["train_accuracy"]
    assert findings["random_labels_fall"] == pytest.approx(fall, abs=1e-3)
    fall = true["validation_accuracy"] - critical["validation_accuracy"]
    assert findings["true_labels_fall"] == pytest.approx(fall, abs=1e-3)
    tensors = record.saved_tensors["memorization.safetensors"]
    assert {tuple(tensor.shape) for tensor in tensors.values()} == {(7, 12)}
    ends = [row["train_accuracy"] for row in table]
    assert tensors["train_accuracy"][:, -1].tolist() == pytest.approx(ends, abs=1e-4)
    assert not (record.folder / "trainings").exists()
    network = bundled("micro_alexnet", str(record.folder / "weights/true_labels.safetensors"))
    pixel = torch.tensor([0.8, 0.1, 0.1]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    assert network.classes.label(int(network(pixel).argmax())) == "red"


def test_a_killed_run_goes_on_with_the_training_that_was_not_finished(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {**SHORT, "training_radius": None, "seeds": [0, 1]}
    whole = MemoryRecord()
    expected = Memorization(images, **words).run(whole).findings
    train, names = Memorization._train, []

    def killed(job: Memorization, record: Any, folder: Path, entry: Training, *args: Any) -> Any:
        if entry.name == "true_labels-none-1" and entry.name not in names:
            names.append(entry.name)
            raise KeyboardInterrupt
        names.append(entry.name)
        return train(job, record, folder, entry, *args)

    monkeypatch.setattr(Memorization, "_train", killed)
    record = FolderRecord(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        Memorization(images, **words).run(record)
    names.clear()
    names.append("true_labels-none-1")
    result = Memorization(images, **words).run(record)
    assert names[1:] == ["true_labels-none-1", "random_labels-none-1"]
    assert result.findings == expected
    moved = write_colour_folders(tmp_path / "moved", 12, 16, COLOURS)
    shutil.move(moved / "red" / "11.png", moved / "green" / "!.png")  # another label, same order
    for words_of_another in ({}, {"pictures": None}):
        with pytest.raises(InputError, match="its run was begun with other pictures"):
            Memorization(moved, **{**words, **words_of_another}).run(record)
    others = write_colour_folders(tmp_path / "others", 12, 16, COLOURS[::-1])
    (others / "red" / "00.png").unlink()
    with pytest.raises(InputError, match="its run was begun with other pictures"):
        Memorization(others, **{**words, "pictures": None}).run(record)
    record.finish(result)
    assert sorted(path.name for path in record.folder.iterdir()) == [
        "memorization.safetensors",
        "result.json",
        "weights",
    ]


def test_a_training_goes_on_only_with_its_settings_and_other_files_stay(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {**SHORT, "training_radius": None, "data": ["true_labels"], "critical_pictures": 500}
    own = tmp_path / "run" / "trainings" / "mine" / "notes.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    validate, passes = ClassifierTask.validate, []

    def killed(task: ClassifierTask) -> Any:
        passes.append(task)
        if len(passes) == 3:
            raise KeyboardInterrupt
        return validate(task)

    monkeypatch.setattr(ClassifierTask, "validate", killed)
    monkeypatch.setattr(memorization, "Plan", partial(Plan, checkpoint_seconds=-1.0))
    with pytest.raises(KeyboardInterrupt):
        Memorization(images, **words).run(FolderRecord(tmp_path / "run"))
    with pytest.raises(InputError, match="rate"):
        Memorization(images, **{**words, "rate": 0.01}).run(FolderRecord(tmp_path / "run"))
    result = Memorization(images, **words).run(FolderRecord(tmp_path / "run"))
    assert own.read_text() == "mine"
    assert result.findings["pictures"] == 24
    assert not (tmp_path / "run" / "trainings" / "true_labels-none-0").exists()


def test_a_size_that_the_architecture_cannot_take_is_refused(images: Path) -> None:
    words = {**SHORT, "architecture": "mini_alexnet", "size": 8}
    with pytest.raises(InputError, match="size=8: mini_alexnet cannot take this size"):
        Memorization(images, **words).run(MemoryRecord())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"data": ["true_label"]}, r"^data=true_label: no such word\. Did you mean true_labels"),
        ({"data": []}, r"^data=\[\]: name at least one of true_labels, "),
        ({"settings": "drop"}, r"^settings=drop: no such word\. "),
        ({"seeds": [1, 1]}, r"^seeds=\[1, 1\]: name each seed once"),
        ({"radius": 0}, r"^radius=0: must be from "),
        ({"training_radius": 3}, r"^training_radius=3: must be from "),
        ({"pictures": 1}, r"^pictures=1: must be from 2"),
        ({"batch": 1}, r"^batch=1: must be from 2"),
        ({"seeds": []}, r"^seeds=\[\]: write one or more whole numbers from 0 on"),
        ({"architecture": "micro_alexnt"}, r"^architecture=micro_alexnt: .* Did you mean micro_al"),
    ],
)
def test_wrong_words_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Memorization("images", **wrong)


def test_too_few_pictures_are_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^images=.*: 2 pictures to train on are fewer than its 3"
    ):
        Memorization(images, **{**SHORT, "pictures": 2}).run(MemoryRecord())
    alone = write_colour_folders(tmp_path / "alone", 4, 16, COLOURS[:1])
    with pytest.raises(InputError, match="one class folder only"):
        Memorization(alone, **SHORT).run(MemoryRecord())
