"""Stylizer training: random crops, what it learns and leaves, bit-equal resumes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import power_cut_after
from PIL import Image
from small_worlds import noisy_pictures, tiny_module, wrapped
from torch import nn

from synth.errors import InputError
from synth.networks.stylizer import read_stylizer
from synth.record.folder_record import FolderRecord
from synth.training.loop import Loop
from synth.training.plan import Plan
from synth.training.stylizer.task import (
    SHIFT,
    StylizerTask,
    compute_losses,
    random_crops,
    random_shift,
)
from synth.training.stylizer.train_stylizer import TrainStylizer

NETWORK = wrapped(tiny_module())
Train = Callable[..., TrainStylizer]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    noisy_pictures(tmp_path / "pictures", 12)

    def build(**changes: Any) -> TrainStylizer:
        short = {
            "network": NETWORK,
            "images": tmp_path / "pictures",
            "style": "flower",
            "layers": ["conv1", "conv2"],
            "size": 24,
            "crop": 16,
            "width": 4,
            "blocks": 1,
            "epochs": 2,
            "holdout": 3,
            "device": "cpu",
            "command": "",
        }
        return TrainStylizer(**{**short, **changes})

    return build


def task_of(trainer: TrainStylizer) -> StylizerTask:
    training, validation, _ = trainer._photographs()
    return trainer._task(trainer._stylizer(), training, validation)


def test_crops_are_windows_of_the_picture() -> None:
    """Each pixel holds its address: it grows by 20 a row and by 1 a column, or -1 if mirrored."""
    pictures = torch.stack([torch.arange(20 * 12).view(12, 20).expand(3, 12, 20)]).to(torch.uint8)
    batch = torch.zeros(40, dtype=torch.int64)
    crops = random_crops(pictures, batch, 7, True, torch.Generator().manual_seed(1)) * 255
    assert crops.shape == (40, 3, 7, 7)
    across = crops.diff(dim=3).round()
    assert bool((crops.diff(dim=2).round() == 20).all())
    mirrored = (across == -1).all(3).all(2)[:, 0]
    assert bool(((across == 1).all(3).all(2)[:, 0] | mirrored).all())
    assert 0 < int(mirrored.sum()) < 40
    assert len(crops[:, 0].amin((1, 2)).unique()) > 20
    plain = random_crops(pictures, batch, 7, False, torch.Generator().manual_seed(1)) * 255
    assert bool((plain.diff(dim=3).round() == 1).all())
    same = torch.equal(plain.amin((1, 2, 3)), crops.amin((1, 2, 3)))
    assert same, "mirroring draws no other positions"


def test_both_are_shifted_alike() -> None:
    drawn = torch.rand(2, 3, 12, 14)
    corners = set()
    for seed in range(80):
        first, second = random_shift(drawn, drawn + 1, torch.Generator().manual_seed(seed))
        assert first.shape == (2, 3, 12 - SHIFT + 1, 14 - SHIFT + 1)
        assert torch.equal(first + 1, second)
        corners.add(float(first[0, 0, 0, 0]))
    assert len(corners) == SHIFT**2


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_it_learns(norm: str, train: Train, tmp_path: Path) -> None:
    rows = Loop(task_of(train(norm=norm, rate=0.01)), tmp_path / "run", Plan(12, 3)).run()
    assert rows[-1]["validation_style"] < 0.8 * rows[0]["validation_style"]
    parts = ("style", "content", "tv")
    for kind in ("train", "validation"):
        assert rows[3][f"{kind}_loss"] == pytest.approx(
            sum(rows[3][f"{kind}_{part}"] for part in parts), rel=1e-5
        )
    with Image.open(tmp_path / "run/samples/epoch_012.png") as sheet:
        assert sheet.size == (3 * 24, 2 * 24)


def test_a_resume_is_bit_equal(train: Train, tmp_path: Path) -> None:
    plan = Plan(2, 2, checkpoint_seconds=0.0)
    whole = task_of(train())
    Loop(whole, tmp_path / "whole", plan).run()
    with pytest.raises(RuntimeError, match="power cut"):
        Loop(power_cut_after(task_of(train()), 5), tmp_path / "cut", plan).run()
    again = task_of(train())
    Loop(again, tmp_path / "cut", plan).run()
    for name, value in whole.stylizer.state_dict().items():
        assert torch.equal(value, again.stylizer.state_dict()[name]), name


def test_it_leaves_weights_card_and_sheets(train: Train, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "deeper").mkdir()
    (tmp_path / "pictures" / "deeper" / "bad.png").write_bytes(b"no picture")
    record, trainer = FolderRecord(tmp_path / "run"), train()
    result = trainer.run(record)
    record.finish(result)
    stylizer, about = read_stylizer(tmp_path / "run/stylizer.safetensors", "cpu")
    assert (about.style, about.size, about.network) == ("flower.jpg", 24, "tiny")
    assert (result.network.name, result.network.sha256) == ("tiny", NETWORK.sha256)
    findings = result.findings
    assert findings["skipped_files"] == 1
    _, validation, _ = trainer._photographs()
    terms = {
        name: float(value.mean())
        for name, value in compute_losses(stylizer, validation, trainer.whole_loss).items()
    }
    assert {name: findings[name] for name in terms} == pytest.approx(terms)
    assert findings["validation_loss"] == pytest.approx(sum(terms.values()))
    baseline = compute_losses(nn.Identity(), validation, trainer.whole_loss)
    assert findings["photographs_loss"] == pytest.approx(
        sum(float(value.mean()) for value in baseline.values())
    )
    card = (tmp_path / "run/stylizer.md").read_text()
    sums = f"{findings['photographs_loss']:.4f} | {findings['validation_loss']:.4f}"
    assert f"| sum | | {sums} |" in card
    assert "| photographs | 9 of " in card
    assert len(result.figures) == 2
    for figure in result.figures:
        assert (tmp_path / "run" / figure.file).exists()
    assert not list((tmp_path / "run").glob("checkpoint*"))


def test_it_goes_on_from_weights_of_the_same_shape(train: Train, tmp_path: Path) -> None:
    train().run(FolderRecord(tmp_path / "first"))
    weights = tmp_path / "first/stylizer.safetensors"
    train(weights=weights, epochs=1, rate=1e-9).run(FolderRecord(tmp_path / "second"))
    first, second = (
        read_stylizer(tmp_path / run / "stylizer.safetensors", "cpu")[0]
        for run in ("first", "second")
    )
    assert torch.allclose(first.stem.conv.weight, second.stem.conv.weight, atol=1e-5)
    with pytest.raises(InputError, match="write width=4 blocks=1 norm=instance, as it has"):
        train(weights=weights, width=6).run(FolderRecord(tmp_path / "third"))


def test_a_killed_training_goes_on_only_with_its_settings(train: Train, tmp_path: Path) -> None:
    train().run(FolderRecord(tmp_path / "run"))
    with pytest.raises(
        InputError, match=r"^content_weight=0.5: the checkpoint in .* with content_weight=0.3"
    ):
        train(content_weight=0.5).run(FolderRecord(tmp_path / "run"))
    with pytest.raises(InputError, match=r"^style="):
        train(style="china").run(FolderRecord(tmp_path / "run"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"style": "flowr"}, r"^style=flowr: no such file"),
        ({"style": []}, "^style: whose style"),
        ({"crop": 25}, "^crop=25: the side of a window"),
        ({"crop": 8}, "^crop=8: "),
        ({"size": 9}, "^size=9: "),
        ({"norm": "layer"}, "^norm=layer: "),
        ({"width": 0}, "^width=0: "),
        ({"content_weight": -1}, "^content_weight=-1: "),
        ({"rate": 0}, "^rate=0: "),
        ({"layers": ["conv9"]}, "^layer=conv9: "),
        ({"layer": "conv9"}, "^layer=conv9: "),
        ({"device": "meta"}, "^device=meta: tiny is on cpu"),
        ({"precision": "half"}, "^precision=half: "),
    ],
)
def test_wrong_words_fail_in_the_constructor(
    wrong: dict[str, Any], message: str, train: Train
) -> None:
    with pytest.raises(InputError, match=message):
        train(**wrong)


def test_folders_that_nothing_can_be_learned_from(train: Train, tmp_path: Path) -> None:
    def refused(message: str, **changes: Any) -> None:
        with pytest.raises(InputError, match=message):
            train(**changes).run(FolderRecord(tmp_path / "refused"))

    refused("^images=.*nothere: there is no such directory", images=tmp_path / "nothere")
    (tmp_path / "empty").mkdir()
    refused("^images=.*empty: 0 pictures are too few", images=tmp_path / "empty")
    noisy_pictures(tmp_path / "few", 7)
    refused(
        "^images=.*few: 7 pictures are too few to train on; give 12 or more",
        images=tmp_path / "few",
    )
    refused("^validation=.*empty: 0 pictures", validation=tmp_path / "empty")
    # before the pictures are read
    refused("^weights=.*nothere: no such file", weights=tmp_path / "nothere", images="nothere")
    refused("^holdout=12: ", holdout=12)
