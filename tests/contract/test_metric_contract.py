"""What every measure owes: it is built from its file, says at once what it lacks, and adds without taking away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from parts import composed, names, overrides_of
from PIL import Image

from synth.config.building import build
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.engine.metric import Metric
from synth.errors import InputError
from synth.networks import bundled
from synth.objectives.scores import ClassScore
from synth.record.record import Record
from synth.searches.gradient import Gradient

pytest_plugins = "console_fixtures"


@pytest.fixture(scope="module")
def box(weights: Path) -> Network:
    """The layers and sizes of the network in the box, which the YAML files name."""
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


def measure(name: str) -> Metric:
    """The measure as ``+measure@metrics.NAME=NAME`` adds it to a run."""
    settings = composed(f"+metric@metrics.{name}={name}", *overrides_of("metric", name))
    return build(settings["metrics"][name], [])


def run(box: Network, folder: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    encoding, objective = (
        Perturbation(image="china", epsilon=0.1),
        ClassScore(["goldfish", "lemon"]),
    )
    return Experiment(box, encoding, objective, Gradient(2), metrics=metrics).run(Record(folder)).to_dict()


@pytest.mark.parametrize("name", names("metric"))
def test_a_measure_is_built_from_its_file(name: str) -> None:
    assert isinstance(measure(name), Metric)


@pytest.mark.parametrize("name", names("metric"))
def test_it_adds_to_what_was_found_or_says_in_a_line_what_it_lacks(
    name: str, box: Network, tmp_path: Path
) -> None:
    plain = run(box, tmp_path / "plain", {})
    refused = None
    try:
        result = run(box, tmp_path / "measured", {name: measure(name)})
    except InputError as error:
        refused = str(error)
    if refused is not None:
        assert "\n" not in refused
        assert not (tmp_path / "measured" / "images").exists(), (
            "what cannot be measured is said before the run"
        )
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
