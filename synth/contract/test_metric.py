"""The contract of metrics: built from YAML, refused in one line before the run, or additive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from synth.config.building import build
from synth.contract.cases import for_each
from synth.contract.parts import composed, overrides_of
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.engine.metric import Metric
from synth.errors import InputError
from synth.networks import bundled
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


@pytest.fixture(scope="module")
def alexnet(weights: Path) -> Network:
    """A network with the layers and sizes of the bundled one, which the YAML files name."""
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


def built_metric(name: str) -> Metric:
    """The metric as ``+metric@metrics.NAME=NAME`` adds it to a run."""
    settings = composed(f"+metric@metrics.{name}={name}", *overrides_of("metric", name))
    return build(settings["metrics"][name], [])


def run(alexnet: Network, folder: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    encoding = Perturbation(image="china", epsilon=0.1)
    objective = ClassScore(["goldfish", "lemon"])
    experiment = Experiment(alexnet, encoding, objective, Gradient(2), metrics=metrics)
    return experiment.run(FolderRecord(folder)).to_dict()


@for_each(name="metric")
def test_a_metric_is_built_from_its_file(name: str) -> None:
    assert isinstance(built_metric(name), Metric)


@for_each(name="metric")
def test_it_adds_to_the_findings_or_is_refused_in_one_line(
    name: str, alexnet: Network, tmp_path: Path
) -> None:
    plain = run(alexnet, tmp_path / "plain", {})
    refusal = None
    try:
        result = run(alexnet, tmp_path / "measured", {name: built_metric(name)})
    except InputError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        # refused before the run
        assert not (tmp_path / "measured" / "images").exists()
        return
    json.dumps(result)
    assert {key: result["findings"][key] for key in plain["findings"]} == plain["findings"]
    for before, after in zip(plain["items"], result["items"], strict=True):
        assert {key: after[key] for key in before if key != "seconds"} == {
            key: value for key, value in before.items() if key != "seconds"
        }
    for figure in result["figures"]:
        assert figure["caption"]
        with Image.open(tmp_path / "measured" / figure["file"]) as image:
            assert min(image.size) >= 8
    assert [item["file"] for item in result["items"]] == [item["file"] for item in plain["items"]]
    for item in plain["items"]:
        before, after = (tmp_path / folder / item["file"] for folder in ("plain", "measured"))
        assert before.read_bytes() == after.read_bytes()
