"""Fooling rates, counted again from the saved perturbation, which beats random signs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from small_worlds import NAMES, tiny_module, unanswering, wrapped

from synth.core.network import Network
from synth.core.prediction import NO_CLASS
from synth.data.split import HeldOutSplit
from synth.encodings.pixels import Pixels
from synth.encodings.universal import Universal
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.metrics.fooling_rate import (
    FoolingRate,
    Predictions,
    dominant_labels,
    draw_sheet,
    predict,
)
from synth.objectives.every_picture import EveryPicture
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

COUNT, HELD_OUT = 48, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """48 pictures: gradients between two colours, with noise."""
    path = tmp_path_factory.mktemp("flows")
    ramp = np.linspace(0, 1, 16)
    for number in range(COUNT):
        draws = np.random.default_rng(number)
        first, last = draws.integers(20, 236, (2, 1, 1, 3))
        share = ramp[:, None, None] if number % 2 else ramp[None, :, None]
        flow = first * share + last * (1 - share) + draws.normal(0, 8, (16, 16, 3))
        Image.fromarray(flow.clip(0, 255).astype(np.uint8)).save(path / f"{number:02d}.png")
    return str(path)


def result_of_run(
    folder: str,
    out: Path,
    network: Network,
    transfer: Any = None,
    holdout: float = HELD_OUT,
    **options: Any,
) -> Any:
    experiment = Experiment(
        network,
        Universal(folder, holdout, epsilon=16 / 255, batch=8, mirror=False),
        EveryPicture(folder, holdout, confidence=2.0, **options),
        Gradient(steps=40, rate=0.02, rate_end=0.002),
        metrics={"fooling_rate": FoolingRate(transfer, sheet=4, labels=3)},
    )
    return experiment.run(FolderRecord(out)).to_dict()


def classes(
    network: Network, pictures: torch.Tensor, perturbation: torch.Tensor | None = None
) -> np.ndarray:
    """The predicted classes of 8-bit pictures, one by one."""
    labels = []
    for picture in pictures:
        levels = picture.numpy().astype(int)
        if perturbation is not None:
            levels = (
                levels + np.rint(perturbation.numpy().astype(np.float64) * 255).astype(int)
            ).clip(0, 255)
        labels.append(int(network(torch.from_numpy(levels).float()[None] / 255).argmax()))
    return np.array(labels)


@pytest.fixture(scope="module")
def loud() -> Network:
    return wrapped(tiny_module(gain=8.0))


def test_the_rates_are_those_of_the_saved_perturbation_and_beat_random_signs(
    folder: str, tmp_path: Path, loud: Network
) -> None:
    result = result_of_run(folder, tmp_path, loud)
    findings = result["findings"]
    (item,) = result["items"]
    (perturbation,) = load_file(tmp_path / "perturbation.safetensors")["perturbation"]
    assert (
        float(perturbation.abs().max())
        == pytest.approx(16 / 255)
        == pytest.approx(item["linf"], abs=1e-6)
    )
    split = HeldOutSplit(folder, HELD_OUT).at((16, 16))
    for name, pictures in (("train", split.train), ("heldout", split.held_out)):
        before, after = classes(loud, pictures), classes(loud, pictures, perturbation)
        rate = round(float((before != after).mean()), 4)
        assert findings[f"fooling_rate_{name}"] == item[f"fooling_rate_{name}"] == rate
    assert (findings["pictures_train"], findings["pictures_heldout"]) == (
        COUNT - HELD_OUT,
        HELD_OUT,
    )
    assert findings["fooling_rate_heldout"] > findings["random_signs"] + 0.1
    table = findings["dominant_labels"]
    after = classes(loud, split.held_out, perturbation)
    assert table[0]["share"] == round(float(np.bincount(after).max() / HELD_OUT), 4)
    assert table[0]["label"] in {
        NAMES[i] for i in np.flatnonzero(np.bincount(after) == np.bincount(after).max())
    }
    assert [row["share"] for row in table] == sorted((row["share"] for row in table), reverse=True)
    assert (findings["success"], item["success"]) == (None, None)
    assert "target_rate_train" not in findings
    assert "transfer" not in findings


def test_the_saved_image_is_the_perturbation_amplified(
    folder: str, tmp_path: Path, loud: Network
) -> None:
    result = result_of_run(folder, tmp_path, loud)
    (item,) = result["items"]
    (perturbation,) = load_file(tmp_path / "perturbation.safetensors")["perturbation"]
    pixels = np.asarray(Image.open(tmp_path / item["file"]), dtype=np.float64) / 255
    restored = torch.from_numpy((pixels - 0.5) / item["amplified"]).permute(2, 0, 1).float()
    torch.testing.assert_close(restored, perturbation, atol=0.51 / 255 / item["amplified"], rtol=0)
    (figure,) = result["figures"]
    assert (tmp_path / figure["file"]).is_file()
    assert "untargeted" in figure["caption"]


def test_a_target_has_a_rate_of_its_own(folder: str, tmp_path: Path, loud: Network) -> None:
    result = result_of_run(folder, tmp_path, loud, target=["lemon", "teapot"])
    split = HeldOutSplit(folder, HELD_OUT).at((16, 16))
    changes = load_file(tmp_path / "perturbation.safetensors")["perturbation"]
    before = classes(loud, split.held_out)
    for perturbation, name, item in zip(changes, ("lemon", "teapot"), result["items"], strict=True):
        target = NAMES.index(name)
        after = classes(loud, split.held_out, perturbation)[before != target]
        assert item["target_rate_heldout"] == round(float((after == target).mean()), 4)
    rates = [item["target_rate_heldout"] for item in result["items"]]
    assert result["findings"]["target_rate_heldout"] == pytest.approx(sum(rates) / 2, abs=1e-4)
    assert len(result["figures"]) == 2


def test_another_network_reads_the_perturbation_at_its_own_size(
    folder: str, tmp_path: Path, loud: Network, caplog: pytest.LogCaptureFixture
) -> None:
    other = wrapped(tiny_module(seed=1, gain=8.0), size=(24, 20))
    other.sha256 = "1" * 64
    other.name = "other"
    result = result_of_run(
        folder, tmp_path, loud, transfer={"one": other, "same": loud, "none": None}
    )
    (row,) = result["findings"]["transfer"]
    assert "no second one; left out" in caplog.text
    assert row["network"] == "other"
    (perturbation,) = load_file(tmp_path / "perturbation.safetensors")["perturbation"]
    larger = torch.nn.functional.interpolate(
        perturbation[None], (24, 20), mode="bicubic", antialias=True
    )[0]
    perturbation = larger.clamp(-16 / 255, 16 / 255)
    held_out = HeldOutSplit(folder, HELD_OUT).at((24, 20)).held_out
    assert row["fooling_rate"] == round(
        float((classes(other, held_out) != classes(other, held_out, perturbation)).mean()), 4
    )
    assert 0 <= row["random_signs"] <= 1


def test_without_held_out_pictures_the_figure_shows_the_others(
    folder: str, tmp_path: Path, loud: Network
) -> None:
    result = result_of_run(folder, tmp_path, loud, holdout=0)
    assert "fooling_rate_heldout" not in result["findings"]
    assert result["findings"]["fooling_rate_train"] > result["findings"]["random_signs"]
    assert result["figures"][0]["caption"].startswith("Training pictures and the predictions")
    json.dumps(result)


def test_rates_by_their_definition() -> None:
    predictions = Predictions(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 2, 2, 1]))
    assert (predictions.fooling_rate, predictions.target_rate(2), predictions.target_rate(0)) == (
        0.5,
        0.5,
        0.0,
    )
    assert predictions.target_rate(None) is None
    empty = Predictions(torch.zeros(0), torch.zeros(0))
    assert (empty.fooling_rate, empty.target_rate(1)) == (None, None)


def test_mistakes_are_reported_in_one_line(loud: Network) -> None:
    with pytest.raises(InputError, match="sheet=-1"):
        FoolingRate(sheet=-1)
    with pytest.raises(InputError, match="labels=0"):
        FoolingRate(labels=0)
    with pytest.raises(InputError, match=r"write encoding=universal, or metrics.fooling_rate=null"):
        Experiment(loud, Pixels(), ClassScore(1), Gradient(2), metrics={"it": FoolingRate()})


def test_pictures_without_a_predicted_class_are_not_fooled() -> None:
    clean, perturbed = torch.tensor([0, 1, 2, NO_CLASS]), torch.tensor([0, NO_CLASS, 1, 1])
    prediction = Predictions(clean, perturbed)
    assert prediction.fooling_rate == 0.25
    network = unanswering()
    assert dominant_labels(network, [prediction], 3) == [
        {"label": "king penguin", "share": 0.5, "share_without": 0.25},
        {"label": "goldfish", "share": 0.25, "share_without": 0.25},
    ]
    pictures = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    (prediction,) = predict(network, pictures, torch.zeros(1, 3, 16, 16))
    assert prediction.perturbed.tolist() == [NO_CLASS] * 2
    assert draw_sheet(network, pictures, torch.zeros(3, 16, 16), prediction, 2).width > 0
