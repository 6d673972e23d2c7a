"""Saved records of items with several images, and of items whose clean image meets the target."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import NAMES, noisy_pictures
from torch import Tensor

from synth.core import BoundObjective, Encoding, Genome, Images, Objective, Readout, Rows
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


class SeveralImages(Encoding):
    """A genome decoded to one image or two, and saved as several, each darker than the last."""

    size = (16, 16)

    def __init__(self, saved_images: int, decoded_images: int = 1) -> None:
        self.saved_images = saved_images
        self.images_per_genome = decoded_images

    def start(self, rows: Rows) -> Genome:
        return rows.uniform(3, 16, 16)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return _darker(genome, self.images_per_genome)

    def export(self, genome: Genome, rows: Rows) -> Images:
        return _darker(genome, self.saved_images)

    def picture_index(self, rows: Rows) -> Tensor:
        return torch.arange(self.images_per_genome).repeat(len(rows))

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Encoding:
        return self


def _darker(genome: Genome, count: int) -> Images:
    return torch.stack([genome * 0.5**number for number in range(count)], dim=1).flatten(0, 1)


class PictureIndex(Objective):
    """The index of the picture that an image was made from."""

    def bind(self, network: Network) -> BoundObjective:
        return _BoundPictureIndex()


class _BoundPictureIndex(BoundObjective):
    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {
            "source": readout.picture_index[:, None] + 0.0 * readout.images.mean((1, 2, 3))[:, None]
        }


def saved(path: Path, file: str) -> np.ndarray:
    with Image.open(path / file) as image:
        return np.asarray(image, dtype=np.float64) / 255


@pytest.mark.parametrize(
    ("saved_images", "decoded_images", "shares"), [(3, 1, [3, 2, 2]), (2, 2, [7, 7]), (1, 1, [7])]
)
def test_every_image_of_a_genome_has_an_item_and_its_share_of_the_passes(
    saved_images: int, decoded_images: int, shares: list[int], loud_network: Network, tmp_path: Path
) -> None:
    experiment = Experiment(
        loud_network,
        SeveralImages(saved_images, decoded_images),
        ClassScore(["lemon", "teapot"]),
        Gradient(7),
    )
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    items = result["items"]
    assert [item["target"] for item in items] == ["lemon"] * saved_images + [
        "teapot"
    ] * saved_images
    assert [item.get("facet") for item in items] == (
        list(range(saved_images)) * 2 if saved_images > 1 else [None, None]
    )
    assert [item["forwards"] for item in items] == shares * 2
    assert (
        result["findings"]["forwards"] == result["findings"]["backwards"] == 2 * 7 * decoded_images
    )
    assert result["findings"]["items"] == 2 * saved_images
    assert len({item["file"] for item in items}) == 2 * saved_images
    first = saved(tmp_path, items[saved_images]["file"])
    for number, item in enumerate(items[saved_images:]):
        assert np.abs(saved(tmp_path, item["file"]) - first * 0.5**number).max() <= 1 / 255
        pixels = torch.from_numpy(saved(tmp_path, item["file"])).permute(2, 0, 1)[None].float()
        assert item["confidence"] == pytest.approx(
            float(loud_network(pixels).softmax(1)[0, 2]), abs=1e-5
        )


@pytest.mark.parametrize(("decoded_images", "successes"), [(2, [False, True]), (1, [False, False])])
def test_the_monitored_value_of_a_saved_image_has_its_picture_index(
    decoded_images: int, successes: list[bool], loud_network: Network, tmp_path: Path
) -> None:
    """Where more images are saved than decoded, the picture index of each is 0."""
    experiment = Experiment(
        loud_network, SeveralImages(2, decoded_images), PictureIndex(), Gradient(1), until=1.0
    )
    items = experiment.run(FolderRecord(tmp_path)).to_dict()["items"]
    assert [item["success"] for item in items] == successes


@pytest.fixture
def photographs(tmp_path: Path) -> list[str]:
    """Three images of noise."""
    return sorted(map(str, noisy_pictures(tmp_path / "photographs", 3, low=0, high=256).iterdir()))


def test_an_item_whose_clean_image_meets_the_target_is_not_counted(
    loud_network: Network, photographs: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoding = Perturbation(images=photographs, epsilon=0.5, size=16)
    predictions = (
        loud_network(torch.stack([picture.at((16, 16)) for picture in encoding.pictures]))
        .argmax(1)
        .tolist()
    )
    targets = [NAMES[predictions[0]], *(NAMES[(index + 1) % 5] for index in predictions[1:])]
    experiment = Experiment(
        loud_network, encoding, ClassScore(targets), Gradient(12, "sign", 0.05, momentum=0.0)
    )
    with caplog.at_level(logging.WARNING):
        result = experiment.run(FolderRecord(tmp_path / "out")).to_dict()
    items = result["items"]
    log_text = caplog.text
    assert [item.get("already") for item in items] == [True, None, None]
    assert items[0]["success"] is None
    assert all(item["success"] in (True, False) for item in items[1:])
    assert result["findings"]["success"] == sum(item["success"] for item in items[1:])
    assert result["findings"]["items"] == 3
    assert "1 of 3 clean images already meet their target and are not counted" in log_text
    for item, index in zip(items, predictions, strict=True):
        assert item["original_predicted"] == NAMES[index]
        assert 0.2 < item["original_confidence"] <= 1
        difference = saved(tmp_path / "out", item["file"]) - saved(
            tmp_path / "out", item["original"]
        )
        assert item["linf"] == pytest.approx(np.abs(difference).max(), abs=1e-6)
        assert item["l2"] == pytest.approx(np.sqrt((difference**2).sum()), abs=1e-5)


def test_where_all_clean_images_meet_their_targets_no_run_begins(
    loud_network: Network, photographs: list[str]
) -> None:
    encoding = Perturbation(images=photographs[:1], epsilon=0.5, size=16)
    (index,) = loud_network(encoding.clean_images).argmax(1).tolist()
    with pytest.raises(InputError, match=f"target={NAMES[index]}: tiny already predicts"):
        Experiment(loud_network, encoding, ClassScore(NAMES[index]), Gradient(2))
