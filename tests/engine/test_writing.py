"""What is saved of items kept as several pictures, and of those that were seen as wanted already."""

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
from synth.record.record import Record
from synth.searches.gradient import Gradient


class SeveralImages(Encoding):
    """A genome that is seen as one picture, or as two, and kept as `kept`, each darker than the last."""

    size = (16, 16)

    def __init__(self, kept: int, seen: int = 1) -> None:
        self.kept, self.images_per_genome = kept, seen

    def start(self, rows: Rows) -> Genome:
        return rows.uniform(3, 16, 16)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return _darker(genome, self.images_per_genome)

    def export(self, genome: Genome, rows: Rows) -> Images:
        return _darker(genome, self.kept)

    def picture_index(self, rows: Rows) -> Tensor:
        return torch.arange(self.images_per_genome).repeat(len(rows))

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Encoding:
        return self


def _darker(genome: Genome, count: int) -> Images:
    return torch.stack([genome * 0.5**number for number in range(count)], dim=1).flatten(0, 1)


class Source(Objective):
    """Watches which picture one was made from."""

    def bind(self, network: Network) -> BoundObjective:
        return _BoundSource()


class _BoundSource(BoundObjective):
    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {
            "source": readout.picture_index[:, None] + 0.0 * readout.images.mean((1, 2, 3))[:, None]
        }


def saved(path: Path, file: str) -> np.ndarray:
    with Image.open(path / file) as image:
        return np.asarray(image, dtype=np.float64) / 255


@pytest.mark.parametrize(
    ("kept", "seen", "shares"), [(3, 1, [3, 2, 2]), (2, 2, [7, 7]), (1, 1, [7])]
)
def test_every_picture_of_a_genome_has_a_record_and_its_share_of_the_passes(
    kept: int, seen: int, shares: list[int], loud_network: Network, tmp_path: Path
) -> None:
    experiment = Experiment(
        loud_network, SeveralImages(kept, seen), ClassScore(["lemon", "teapot"]), Gradient(7)
    )
    result = experiment.run(Record(tmp_path)).to_dict()
    items = result["items"]
    assert [item["target"] for item in items] == ["lemon"] * kept + ["teapot"] * kept
    assert [item.get("facet") for item in items] == (
        list(range(kept)) * 2 if kept > 1 else [None, None]
    )
    assert [item["forwards"] for item in items] == shares * 2
    assert result["findings"]["forwards"] == result["findings"]["backwards"] == 2 * 7 * seen
    assert result["findings"]["items"] == 2 * kept
    assert len({item["file"] for item in items}) == 2 * kept
    first = saved(tmp_path, items[kept]["file"])
    for number, item in enumerate(items[kept:]):
        assert np.abs(saved(tmp_path, item["file"]) - first * 0.5**number).max() <= 1 / 255
        pixels = torch.from_numpy(saved(tmp_path, item["file"])).permute(2, 0, 1)[None].float()
        assert item["confidence"] == pytest.approx(
            float(loud_network(pixels).softmax(1)[0, 2]), abs=1e-5
        )


@pytest.mark.parametrize(("seen", "told"), [(2, [False, True]), (1, [False, False])])
def test_what_is_watched_of_a_saved_picture_knows_what_it_was_made_from(
    seen: int, told: list[bool], loud_network: Network, tmp_path: Path
) -> None:
    """Where more is kept than is seen, a picture has no other source than its item, 0."""
    experiment = Experiment(loud_network, SeveralImages(2, seen), Source(), Gradient(1), until=1.0)
    items = experiment.run(Record(tmp_path)).to_dict()["items"]
    assert [item["success"] for item in items] == told


@pytest.fixture
def photographs(tmp_path: Path) -> list[str]:
    """Three pictures of noise."""
    return sorted(map(str, noisy_pictures(tmp_path / "photographs", 3, low=0, high=256).iterdir()))


def test_what_is_seen_as_wanted_already_is_said_and_not_counted(
    loud_network: Network, photographs: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoding = Perturbation(images=photographs, epsilon=0.5, size=16)
    there = (
        loud_network(torch.stack([picture.at((16, 16)) for picture in encoding.pictures]))
        .argmax(1)
        .tolist()
    )
    targets = [NAMES[there[0]], *(NAMES[(index + 1) % 5] for index in there[1:])]
    experiment = Experiment(
        loud_network, encoding, ClassScore(targets), Gradient(12, "sign", 0.05, momentum=0.0)
    )
    with caplog.at_level(logging.WARNING):
        result = experiment.run(Record(tmp_path / "out")).to_dict()
    items, told = result["items"], caplog.text
    assert [item.get("already") for item in items] == [True, None, None]
    assert items[0]["success"] is None
    assert all(item["success"] in (True, False) for item in items[1:])
    assert result["findings"]["success"] == sum(item["success"] for item in items[1:])
    assert result["findings"]["items"] == 3
    assert "1 of 3 pictures are seen as wanted before anything is done" in told
    for item, index in zip(items, there, strict=True):
        assert item["original_predicted"] == NAMES[index]
        assert 0.2 < item["original_confidence"] <= 1
        away = saved(tmp_path / "out", item["file"]) - saved(tmp_path / "out", item["original"])
        assert item["linf"] == pytest.approx(np.abs(away).max(), abs=1e-6)
        assert item["l2"] == pytest.approx(np.sqrt((away**2).sum()), abs=1e-5)


def test_where_all_are_there_already_nothing_is_begun(
    loud_network: Network, photographs: list[str]
) -> None:
    encoding = Perturbation(images=photographs[:1], epsilon=0.5, size=16)
    (index,) = loud_network(encoding.clean_images).argmax(1).tolist()
    with pytest.raises(InputError, match=f"target={NAMES[index]}: tiny sees that already"):
        Experiment(loud_network, encoding, ClassScore(NAMES[index]), Gradient(2))
