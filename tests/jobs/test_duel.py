"""Duels: budgets read from one run, intervals, transfer, resume, and mistakes in one line."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from PIL import Image
from small_worlds import NAMES, noisy_pictures, tiny_module, wrapped

from synth.core import Search
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.jobs import _duel_figures
from synth.jobs.duel import Duel
from synth.metrics.intervals import wilson
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import ClassScore
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.map_elites import MapElites
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.random import Random

TARGETS = ["goldfish", "lemon", "teapot"]
MUTATION = GaussianMutation(sigma=0.1, rate=0.5)


def second_network() -> Network:
    network = wrapped(tiny_module(len(NAMES), seed=1, gain=8.0), NAMES)
    network.sha256 = "1" * 64
    return network


def contender(search: Search, **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "encoding": Pixels(16),
        "objective": ClassScore(TARGETS, "log_probability"),
        "monitor": ClassScore(TARGETS, "probability"),
        "search": search,
        "until": 0.8,
    }
    return partial(Experiment, **settings | changes)


def contenders() -> dict[str, Any]:
    return {
        "gradient": contender(Gradient(8, "adam", 0.01)),
        "genetic": contender(Genetic(Tournament(2), UniformCrossover(), MUTATION, population=4)),
        "random": contender(Random(population=4)),
    }


def elites() -> Any:
    changes = {"objective": EveryClass(TARGETS), "monitor": None, "until": 0.5}
    return contender(MapElites(MUTATION, batch=6), **changes)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures, which take longer than such small searches."""
    monkeypatch.setattr(_duel_figures, "draw", lambda record, rows, budgets: [])


def rates(result: Any, budget: int) -> list[dict[str, Any]]:
    return [row[f"success_at_{budget}"] for row in result.findings["duel"]]


@pytest.mark.usefixtures("undrawn")
def test_a_smaller_budget_is_read_from_the_run_of_a_larger_one(
    loud_network: Network, tmp_path: Path
) -> None:
    whole = Duel(contenders(), loud_network, budgets=[90, 15, 40], seeds=[3, 4]).run(
        FolderRecord(tmp_path / "whole")
    )
    assert whole.findings["budgets"] == [15, 40, 90]
    alone = Duel(contenders(), loud_network, budgets=15, seeds=[3, 4]).run(
        FolderRecord(tmp_path / "alone")
    )
    assert rates(alone, 15) == rates(whole, 15)
    counts = [[rate["success"] for rate in rates(whole, budget)] for budget in (15, 40, 90)]
    assert counts[0] != counts[2]  # there is something to read
    for row in whole.findings["duel"]:
        items = [item for item in whole.items if item.contender == row["contender"]]
        assert {item.seed for item in items} == {3, 4}
        rate = row["success_at_90"]
        hits = sum(bool(item.success) for item in items)
        assert (rate["success"], rate["counted"]) == (hits, 6)
        assert rate["interval"] == pytest.approx(wilson(hits, 6), abs=1e-4)
        passes = [item.passes if item.success else math.inf for item in items]
        middle = median(passes)
        assert row["passes_to_success"]["median"] == (None if middle == math.inf else round(middle))
    assert whole.about == {
        "success": "on the saved file, class on top at 0.8 (gradient, genetic, random)"
    }


def test_networks_are_searched_in_turn_and_read_the_images_of_the_others(
    loud_network: Network, tmp_path: Path
) -> None:
    pictures = noisy_pictures(tmp_path / "pictures", 3)
    attack = contender(
        Gradient(5, "sign", 0.05, momentum=0.0),
        encoding=Perturbation(images=str(pictures), epsilon=0.2),
        objective=Untargeted(images=str(pictures)),
        monitor=Untargeted(images=str(pictures)),
        until=0.0,
    )
    second = second_network()
    job = {"gradient": contenders()["gradient"], "elites": elites(), "attack": attack}
    result = Duel(job, loud_network, second, budgets=[60]).run(FolderRecord(tmp_path / "run"))
    rows = result.findings["duel"]
    names = [(row["contender"], row["network"]) for row in rows]
    assert names == [(name, network) for network in ("tiny", "tiny_2") for name in job]
    assert {row["success_is"] for row in rows} == {
        "class on top at 0.8",
        "class on top at 0.5",
        "another class on top",
    }
    for row, (name, network) in zip(rows, names, strict=True):
        reader = {"tiny": "tiny_2", "tiny_2": "tiny"}[network]
        items = [
            item
            for item in result.items
            if item.contender == name and item.extra["network"] == network
        ]
        hits = [item.extra.get(f"transfer_to_{reader}") for item in items if item.success]
        counted = [hit for hit in hits if hit is not None]
        rate = row[f"transfer_to_{reader}"]
        assert (rate or {"success": 0})["success"] == sum(counted)
        if name != "gradient":
            continue
        other = second if network == "tiny" else loud_network
        for item in filter(lambda item: item.success, items):
            image = FolderRecord(tmp_path / "run").read_back(str(item.file))
            with torch.no_grad():
                predicted = int(other(image[None]).argmax())
            assert item.extra[f"transfer_to_{reader}"] == (predicted == item.target_index)
    # a cell of a map: when its score got there, not when the search ended
    steps = FolderRecord(tmp_path / "run", part="elites-0-0").read_steps()
    cells = [item for item in result.items if item.contender == "elites"][:3]
    for place, item in enumerate(cells):
        first = [line["forwards"] // 3 for line in steps if (line["items"][place] or 0) >= 0.5]
        assert item.extra["passes_to_success"] == (first[0] if item.success else None)
    assert any(item.success for item in cells)
    assert len(result.figures) == 3
    for figure in result.figures:
        with Image.open(tmp_path / "run" / figure.file) as image:
            assert image.width > 400


@pytest.mark.usefixtures("undrawn")
def test_a_duel_that_was_killed_repeats_nothing_that_is_finished(
    loud_network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def duel() -> Duel:
        return Duel(contenders(), loud_network, budgets=[15, 30], seeds=[0, 1])

    expected = duel().run(FolderRecord(tmp_path / "whole"))
    run, runs = Experiment.run, []

    def counted(self: Experiment, record: Any) -> Any:
        runs.append(record.part)
        if len(runs) == 4:
            raise RuntimeError("power cut")
        return run(self, record)

    monkeypatch.setattr(Experiment, "run", counted)
    with pytest.raises(RuntimeError, match="power cut"):
        duel().run(FolderRecord(tmp_path / "cut"))
    result = duel().run(FolderRecord(tmp_path / "cut"))
    assert runs[4:] == ["genetic-0-1", "random-0-0", "random-0-1"]
    for mine, theirs in zip(result.items, expected.items, strict=True):
        left, right = mine.to_dict(), theirs.to_dict()
        assert {**left, "seconds": 0} == {**right, "seconds": 0}
    for mine, theirs in zip(result.findings["duel"], expected.findings["duel"], strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"contenders": ["genetics"]}, "no such contender. Did you mean genetic"),
    "nobody": ({"contenders": []}, "name one or more of gradient, genetic, random"),
    "no budget": ({"budgets": []}, "budgets=[]: write one or more whole numbers from 1 on"),
    "no seed": ({"seeds": []}, "seeds=[]: write one or more whole numbers from 0 on"),
    "negative": ({"seeds": [-1]}, "seeds=[-1]: write one or more"),
    "twice": ({"seeds": [1, 1]}, "the same seed twice is one trial"),
    "small": ({"budgets": [3, 90]}, "budgets: gradient: budget=3: one step of gradient can take 4"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(case: str, loud_network: Network) -> None:
    changes, words = MISTAKES[case]
    with pytest.raises(InputError) as caught:
        Duel(contenders(), loud_network, **changes)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_without_the_classes_and_a_contender_without_success(
    loud_network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    other = wrapped(tiny_module(2, seed=2), ("goldfish", "lemon"))
    other.sha256 = "2" * 64
    with pytest.raises(InputError, match="tiny has no such class"):
        Duel(contenders(), loud_network, networks={"other": other}, budgets=90)
    with pytest.raises(InputError, match=r"experiments\.x\.until=null"):
        Duel({"x": contender(Gradient(2), until=None)}, loud_network)
    duel = Duel(contenders(), loud_network, loud_network, contenders="random", budgets=90)
    assert list(duel.networks) == ["tiny"]
    assert "no second one" in caplog.text
