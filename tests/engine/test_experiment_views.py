"""Whole runs with several views or images a genome, with noise, in stages: passes and resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import at_step
from small_worlds import count_passes, tiny_module, wrapped
from torch import Tensor

from synth.core import BoundObjective, Encoding, Genome, Images, Objective, Readout, Rows
from synth.core.network import Network
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.stages import Stage, Stages, octaves
from synth.transforms.affine import Jitter


class Pair(Encoding):
    """A genome that is decoded, and saved, as two images: itself and its mirror image."""

    images_per_genome = 2
    size = (16, 16)

    def start(self, rows: Rows) -> Genome:
        return rows.uniform(3, 16, 16)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return torch.stack([genome, genome.flip(3)], dim=1).flatten(0, 1)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Encoding:
        return self


class RampMatch(Objective):
    """Distance from a ramp of the size of the images; records the sizes it was bound to."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def bind(self, network: Network) -> BoundObjective:
        return _BoundRampMatch(self.sizes, None)


class _BoundRampMatch(BoundObjective):
    def __init__(self, sizes: list[tuple[int, int]], size: tuple[int, int] | None) -> None:
        self.sizes, self.size = sizes, size

    def at(self, size: tuple[int, int]) -> BoundObjective:
        self.sizes.append(size)
        return _BoundRampMatch(self.sizes, size)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        assert self.size == tuple(readout.images.shape[2:])
        ramp = torch.linspace(0, 1, self.size[1]).expand(3, *self.size)
        return {"near": -(readout.images - ramp).square().mean((1, 2, 3))[:, None]}


@pytest.mark.parametrize("until", [None, 0.5])
@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("pair", [False, True], ids=["one", "pair"])
def test_every_pass_is_counted_and_within_the_budget(
    pair: bool, views: int, until: float | None, loud_network: Network, tmp_path: Path
) -> None:
    encoding = Pair() if pair else Pixels(16)
    pictures = 2 if pair else 1
    options: dict[str, Any] = {"transform": Jitter(0.2), "views": views, "until": until}
    targets = ["lemon", "king penguin"]
    monitor = ClassScore(targets, "probability")
    experiment = Experiment(
        loud_network, encoding, ClassScore(targets), Gradient(6), monitor=monitor, **options
    )
    passes = count_passes(loud_network)
    result = experiment.run(FolderRecord(tmp_path / "steps")).to_dict()
    recorded = result["findings"]["forwards"]
    # each saved image is evaluated once more
    assert recorded + len(result["items"]) == sum(passes)
    if until is None:
        assert recorded == 2 * 6 * pictures * views
    step = 3 * pictures * views + (pictures if until else 0)
    for budget in (step, 4 * step + 1):
        experiment = Experiment(
            loud_network, encoding, ClassScore(targets), Gradient(6), budget=budget, **options
        )
        items = experiment.run(FolderRecord(tmp_path / str(budget))).to_dict()["items"]
        for item in range(2):
            images = items[item * pictures : (item + 1) * pictures]
            spent = sum(image["forwards"] + 2 * image["backwards"] for image in images)
            assert spent <= budget
            assert spent > budget - step or until is not None
    with pytest.raises(InputError, match=rf"budget={step - 1}: .* can take {step} network passes"):
        Experiment(
            loud_network, encoding, ClassScore("lemon"), Gradient(6), budget=step - 1, **options
        )


def test_no_views_are_refused(network: Network) -> None:
    with pytest.raises(InputError, match="views=0: write 1 or more"):
        Experiment(network, Pixels(16), ClassScore("lemon"), Gradient(2), views=0)


def test_an_objective_is_bound_to_the_size_once_and_in_every_stage(
    network: Network, tmp_path: Path
) -> None:
    plain, staged = RampMatch(), RampMatch()
    result = (
        Experiment(network, Pixels((16, 12)), plain, Gradient(30, rate=0.1))
        .run(FolderRecord(tmp_path / "plain"))
        .to_dict()
    )
    assert plain.sizes == [(16, 12)]
    assert result["items"][0]["score"] > -0.01
    search = octaves(Gradient(rate=0.1), count=2, scale=1.25, steps=10)
    Experiment(network, Pixels((20, 20)), staged, search).run(FolderRecord(tmp_path / "staged"))
    assert set(staged.sizes) == {(20, 20), (16, 16)}
    monitored = RampMatch()
    experiment = Experiment(
        network, Pixels(16), ClassScore("lemon"), Gradient(2), monitor=monitored
    )
    assert monitored.sizes == [(16, 16)]
    assert experiment.problem.monitor is not experiment.problem.objective


SEARCHES: dict[str, Callable[[], Any]] = {
    "nadam": lambda: Gradient(12, "nadam", 0.02),
    "unit": lambda: Gradient(12, "unit", 0.5),
    "noise": lambda: Gradient(12, "sign", 0.01, momentum=0.0, noise=0.02),
    "stages": lambda: Stages(
        Gradient(rule="adam", rate=0.02, noise=0.01),
        [Stage(5, 0.5), Stage(4, transform=Jitter(0.1)), Stage(3)],
    ),
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("number", [3, 5, 9])
@pytest.mark.parametrize("name", SEARCHES)
def test_a_resumed_run_is_the_uninterrupted_one(name: str, number: int, tmp_path: Path) -> None:
    def make() -> Experiment:
        network = wrapped(tiny_module(gain=8.0))
        parts = {"views": 2, "transform": Jitter(0.15)} if name != "stages" else {}
        return Experiment(
            network, Pixels(32), ClassScore(["lemon", "teapot"]), SEARCHES[name](), seed=3, **parts
        )

    whole = make().run(FolderRecord(tmp_path / "whole", {"seed": 3})).to_dict()
    with pytest.raises(InterruptedError):
        at_step(make(), number, _raise_cut).run(FolderRecord(tmp_path / "cut", {"seed": 3}))
    assert len(_lines(tmp_path / "cut")) == number
    resumed = make().run(FolderRecord(tmp_path / "cut", {"seed": 3})).to_dict()
    for before, after in zip(whole["items"], resumed["items"], strict=True):
        assert before["score"] == after["score"]
        assert (tmp_path / "whole" / before["file"]).read_bytes() == (
            tmp_path / "cut" / after["file"]
        ).read_bytes()
    assert _lines(tmp_path / "cut") == _lines(tmp_path / "whole")


def _raise_cut() -> None:
    raise InterruptedError


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (path / "steps.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
