"""Median norms against those of the saved files, and before the images were rounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_worlds import noisy_pictures

from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.metrics.distances import Distances
from synth.objectives.scores import ClassScore
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.minimal_norm import MinimalNorm

COUNT = 5


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(noisy_pictures(tmp_path / "pictures", COUNT))


@pytest.mark.parametrize("levels", [True, False])
def test_medians_are_those_of_the_files(
    levels: bool, loud_network: Network, folder: str, tmp_path: Path
) -> None:
    experiment = Experiment(
        loud_network,
        Perturbation(images=folder, levels=levels, eight_bit=levels),
        Untargeted(images=folder),
        MinimalNorm(20),
        metrics={"it": Distances()},
    )
    out = tmp_path / "out"
    result = experiment.run(FolderRecord(out)).to_dict()
    norms = []
    for item in result["items"]:
        image, original = (
            np.asarray(Image.open(out / item[word]), dtype=np.float64) / 255
            for word in ("file", "original")
        )
        if item["success"]:
            norms.append((np.linalg.norm(image - original), np.abs(image - original).max()))
    findings = result["findings"]
    if levels:
        assert len(norms) == COUNT
    if norms:
        medians = np.median(np.array(norms), axis=0)
        assert [findings["median_l2"], findings["median_linf"]] == pytest.approx(
            medians.tolist(), abs=1e-5
        )
    else:
        assert findings["median_l2"] is None
    assert ("unrounded_median_l2" in findings) == (not levels)
    if not levels:
        assert findings["unrounded_success"] == COUNT
        assert findings["unrounded_median_l2"] == pytest.approx(
            np.median([item["unrounded_l2"] for item in result["items"]]), abs=1e-5
        )
        assert all(item["unrounded_linf"] <= item["unrounded_l2"] for item in result["items"])


def test_without_clean_images_it_is_refused(loud_network: Network) -> None:
    with pytest.raises(InputError, match="distances are those to a picture"):
        Experiment(
            loud_network, Pixels(), ClassScore("lemon"), Gradient(2), metrics={"it": Distances()}
        )
