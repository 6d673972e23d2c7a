"""The contract of figures: built from YAML, refused in one line before the run, or saved images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from synth.config.building import build
from synth.contract.cases import for_each
from synth.contract.parts import composed, overrides_of
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.engine.metric import FigureMaker
from synth.errors import InputError
from synth.networks import bundled
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.record.result import Result
from synth.searches.gradient import Gradient


@pytest.fixture(scope="module")
def alexnet(weights: Path) -> Network:
    """A network with the layers and sizes of the bundled one, which the YAML files name."""
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


def built_figure(name: str) -> FigureMaker:
    """The figure as ``+figure@figures.NAME=NAME`` adds it to a run."""
    settings = composed(f"+figure@figures.{name}={name}", *overrides_of("figure", name))
    return build(settings["figures"][name], [])


def run(alexnet: Network, folder: Path, figures: dict[str, FigureMaker]) -> Result:
    encoding = Perturbation(image="china", epsilon=0.1)
    objective = ClassScore(["goldfish", "lemon"])
    experiment = Experiment(alexnet, encoding, objective, Gradient(2), figures=figures)
    return experiment.run(FolderRecord(folder))


@for_each(name="figure")
def test_a_figure_is_built_from_its_file(name: str) -> None:
    assert isinstance(built_figure(name), FigureMaker)


@for_each(name="figure")
def test_it_saves_figures_and_changes_nothing_else_or_is_refused_in_one_line(
    name: str, alexnet: Network, tmp_path: Path
) -> None:
    plain = run(alexnet, tmp_path / "plain", {})
    assert plain.figures == []
    refusal = None
    try:
        result = run(alexnet, tmp_path / "drawn", {name: built_figure(name)})
    except InputError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        # refused before the run
        assert not (tmp_path / "drawn" / "images").exists()
        return
    json.dumps(result.to_dict())
    assert result.findings == plain.findings
    for figure in result.figures:
        assert figure.caption
        with Image.open(tmp_path / "drawn" / figure.file) as image:
            assert min(image.size) >= 8
    for before, after in zip(plain.items, result.items, strict=True):
        expected = before.to_dict() | {"seconds": None}
        item = after.to_dict() | {"seconds": None}
        assert {key: item[key] for key in expected} == expected
        files = [tmp_path / folder / str(before.file) for folder in ("plain", "drawn")]
        assert files[0].read_bytes() == files[1].read_bytes()
