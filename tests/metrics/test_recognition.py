"""Recognition of inverted images, against nearest neighbours by NumPy, one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from synth import data
from synth.core import Encoding, Rows
from synth.core.network import Network
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.metrics.recognition import Recognition, _nearest
from synth.objectives.features import FeatureMatch
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

COUNT = 5


class FixedStart(Pixels):
    """Pixels that start from given pictures [n, 3, h, w]."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__(tuple(pictures.shape[2:]))
        self.pictures = pictures

    def start(self, rows: Rows) -> Tensor:
        return self.pictures[rows.item].clone()

    def to(self, device: torch.device) -> Encoding:
        return self


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures of noise."""
    draws = torch.Generator().manual_seed(0)
    (tmp_path / "pictures").mkdir()
    for number in range(COUNT):
        data.to_image(torch.rand(3, 16, 16, generator=draws)).save(
            tmp_path / f"pictures/{number}.png"
        )
    return tmp_path / "pictures"


def findings(
    network: Network, folder: Path, pictures: Tensor, out: Path, layer: str | None = None
) -> dict:
    run = Experiment(
        network,
        FixedStart(pictures),
        FeatureMatch("conv1", images=str(folder)),
        Gradient(1, rate=1e-7),
        metrics={"recognition": Recognition(str(folder), layer)},
    )
    result = run.run(FolderRecord(out, {})).to_dict()
    return result["findings"] | {"items": result["items"]}


def nearest(vectors: np.ndarray, others: np.ndarray) -> list[int]:
    return [
        int(np.argmin([((vector - other) ** 2).sum() for other in others])) for vector in vectors
    ]


def test_originals_are_recognised_and_others_where_the_nearest_is_their_own(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    originals = torch.stack([picture.at((16, 16)) for picture in data.pictures(folder)])
    same = findings(network, folder, originals, tmp_path / "same")
    assert [same[f"found_again_{word}"] for word in ("pixels", "features", "chance")] == [
        1.0,
        1.0,
        0.2,
    ]
    assert all(
        item["found_again_pixels"] and item["found_again_features"] for item in same["items"]
    )
    draws = torch.Generator().manual_seed(3)
    mixed = (0.45 * originals + 0.55 * torch.rand(originals.shape, generator=draws)) * 0.5
    mixed[2] = originals[4]
    mixed = (mixed * 255).round() / 255
    results = findings(network, folder, mixed, tmp_path / "mixed", "pool2")
    by_pixels = nearest(mixed.flatten(1).double().numpy(), originals.flatten(1).double().numpy())
    codes = [
        network.read(images, ["pool2"])["pool2"].double().mean((2, 3)).numpy()
        for images in (mixed, originals)
    ]
    codes = [code / np.linalg.norm(code, axis=1, keepdims=True) for code in codes]
    by_features = nearest(*codes)
    assert by_pixels[2] == by_features[2] == 4
    assert results["found_again_pixels"] == np.mean(
        [place == i for i, place in enumerate(by_pixels)]
    )
    assert results["found_again_features"] == np.mean(
        [place == i for i, place in enumerate(by_features)]
    )
    assert [item["found_again_pixels"] for item in results["items"]] == [
        place == i for i, place in enumerate(by_pixels)
    ]


def test_a_single_picture_has_no_findings(network: Network, tmp_path: Path) -> None:
    for pictures in (None, "china"):
        run = Experiment(
            network,
            Pixels(16),
            FeatureMatch("conv1", image="china"),
            Gradient(1),
            metrics={"recognition": Recognition(pictures)},
        )
        result = run.run(FolderRecord(tmp_path / str(pictures), {}))
        assert "found_again_pixels" not in result.findings


def test_mistakes(network: Network, folder: Path) -> None:
    def make_experiment(metric: Recognition, layer: str | list[str] = "conv1") -> Experiment:
        objective = (
            FeatureMatch(layer, image="china")
            if isinstance(layer, list)
            else FeatureMatch(layer, None, str(folder))
        )
        return Experiment(
            network, Pixels(16), objective, Gradient(1), metrics={"recognition": metric}
        )

    with pytest.raises(InputError, match="metrics: 2 items and 5 images"):
        make_experiment(Recognition(str(folder)), ["conv1", "conv2"])
    with pytest.raises(InputError, match="layer=poool: tiny has no such layer"):
        make_experiment(Recognition(str(folder), "poool"))


def test_features_that_are_no_numbers_are_nearest_to_nothing() -> None:
    points = torch.tensor([[torch.nan, 0.0], [1.0, 0.0]])
    assert _nearest(points, torch.eye(2)).tolist() == [-1, 0]
