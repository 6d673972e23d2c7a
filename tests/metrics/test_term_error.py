"""The error of a term, against that of the saved image measured by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_worlds import rows_of

from synth import data
from synth.core import Readout
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.canvas import canvas
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.metrics.term_error import TermError
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


def test_the_error_is_of_the_saved_image_and_without_the_weight(
    network: Network, tmp_path: Path
) -> None:
    layers = ["conv1", "conv2"]
    objective = WeightedSum(
        {"features": FeatureMatch(layers, image="china", weight=3.0), "tv": TotalVariation()}
    )
    metrics = {"error": TermError("features", "feature_error")}
    result = (
        Experiment(network, Pixels(16), objective, Gradient(20), metrics=metrics)
        .run(FolderRecord(tmp_path, {}))
        .to_dict()
    )
    targets = network.read(data.picture("china").at((16, 16))[None], ["relu1", "relu2"])
    for item, layer in zip(result["items"], targets, strict=True):
        activations = network.read(
            data.picture(tmp_path / item["file"]).at((16, 16))[None], [layer]
        )[layer]
        expected = float(
            (activations - targets[layer]).square().sum() / targets[layer].square().sum()
        )
        assert item["feature_error"] == pytest.approx(expected, abs=2e-6)
    findings = result["findings"]
    errors = [item["feature_error"] for item in result["items"]]
    assert findings["feature_error"] == pytest.approx(sum(errors) / 2, abs=2e-6)
    assert findings["feature_error_of"] == dict(zip(layers, errors, strict=True))
    assert findings["feature_error_start"] > findings["feature_error"]


def test_the_error_at_the_start_is_of_the_initial_image(network: Network, tmp_path: Path) -> None:
    objective = WeightedSum({"style": GramMatch("flower", layers=["conv1"])})
    metrics = {"error": TermError("style", "style_error")}
    run = Experiment(network, canvas("china", size=16), objective, Gradient(10), metrics=metrics)
    findings = run.run(FolderRecord(tmp_path, {})).to_dict()["findings"]
    image = data.picture("china").at((16, 16))[None]
    bound = GramMatch("flower", layers=["conv1"]).bind(network).at((16, 16))
    expected = -float(bound(Readout(network.read(image, bound.layers), image, rows_of(1)))["style"])
    assert findings["style_error_start"] == pytest.approx(expected, abs=2e-6)
    assert findings["style_error"] < expected
    assert "style_error_of" not in findings


def test_a_missing_term_is_refused(network: Network) -> None:
    metrics = {"error": TermError("feature", "feature_error")}
    objective = WeightedSum({"features": FeatureMatch("conv1", image="china")})
    with pytest.raises(
        InputError,
        match=r"metrics term=feature: the objective has no such term. Did you mean features",
    ):
        Experiment(network, Pixels(16), objective, Gradient(2), metrics=metrics)
