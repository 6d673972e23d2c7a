"""The original pictures of the items are saved once each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synth import data
from synth.core.network import Network
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.figures.originals import Originals
from synth.objectives.features import FeatureMatch
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


def test_one_original_for_all_items_or_one_for_each(network: Network, tmp_path: Path) -> None:
    objective = FeatureMatch(["conv1", "conv2"], image="china")
    run = Experiment(
        network, Pixels(16), objective, Gradient(1), figures={"originals": Originals("china")}
    )
    items = run.run(FolderRecord(tmp_path / "one", {})).to_dict()["items"]
    assert [item["original"] for item in items] == ["originals/000.png"] * 2
    saved = data.picture(tmp_path / "one/originals/000.png").at((16, 16))
    torch.testing.assert_close(saved, data.picture("china").at((16, 16)), atol=0.5 / 255, rtol=0)

    objective = FeatureMatch("conv1", images=["china", "flower"])
    originals = Originals("china", ["china", "flower"])
    run = Experiment(network, Pixels(16), objective, Gradient(1), figures={"originals": originals})
    items = run.run(FolderRecord(tmp_path / "two", {})).to_dict()["items"]
    assert [item["original"] for item in items] == ["originals/000.png", "originals/001.png"]


def test_mistakes(network: Network) -> None:
    objective = FeatureMatch("conv1", "china")
    figures = {"originals": Originals(images=["china", "flower"])}
    with pytest.raises(InputError, match=r"figures.originals: 2 images and 1 items"):
        Experiment(network, Pixels(16), objective, Gradient(1), figures=figures)
