"""When a run asks its measures, what it shows them, and what becomes of what they find."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from synth.core import Rows
from synth.core.network import Network
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.objectives.scores import ClassScore
from synth.record.record import Record
from synth.searches.gradient import Gradient


class Told(Metric):
    """Keeps what it is shown, and finds `found`."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.found, self.checked, self.seen = found, [], []

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        self.checked.append((problem, rows))

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        self.seen.append(outcome)
        return self.found


class Drawn(Metric):
    """A grey picture of the whole run, and a word an item."""

    def __init__(self, level: float) -> None:
        self.level = level

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        for item in outcome.items:
            item["grey"] = self.level
        image = torch.full((3, 9, 9), self.level)
        file = outcome.record.picture(0, image, {"level": self.level}, f"grey{self.level}")
        return {"figures": [{"file": file, "caption": f"Grey {self.level}."}], "grey": self.level}


class Refused(Metric):
    def check(self, problem: ImageProblem, rows: Rows) -> None:
        raise InputError("metrics: nothing here to measure.")

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        raise AssertionError("never asked")


def experiment(network: Network, metrics: Mapping[str, Metric | None] | None) -> Experiment:
    return Experiment(
        network,
        Pixels(16),
        ClassScore(["lemon", "teapot"]),
        Gradient(3),
        until=0.999,
        metrics=metrics,
    )


def test_a_measure_sees_the_run_and_its_findings_join_the_others(
    loud_network: Network, tmp_path: Path
) -> None:
    first, second = Told({"first": 1.5, "both": 1}), Told({"second": [2], "both": 2})
    whole = experiment(loud_network, {"first": first, "none": None, "second": second})
    assert [len(one.checked) for one in (first, second)] == [1, 1]
    assert first.checked[0][0] is whole.problem
    result = whole.run(Record(tmp_path)).to_dict()
    (outcome,) = first.seen
    assert outcome.items is result["items"]
    assert outcome.problem == whole.problem
    assert outcome.course.genome.shape == (2, 3, 16, 16)
    assert (tmp_path / outcome.items[0]["file"]).is_file()  # saved before a measure looks
    assert (
        result["findings"].items() >= {"first": 1.5, "second": [2], "both": 2, "items": 2}.items()
    )


def test_figures_are_listed_in_their_order_and_words_stay_with_their_items(
    loud_network: Network, tmp_path: Path
) -> None:
    result = experiment(loud_network, {"a": Drawn(0.2), "told": Told({}), "b": Drawn(0.8)}).run(
        Record(tmp_path)
    ).to_dict()
    assert [figure["caption"] for figure in result["figures"]] == ["Grey 0.2.", "Grey 0.8."]
    assert "figures" not in result["findings"]
    assert [item["grey"] for item in result["items"]] == [0.8, 0.8]
    for figure, level in zip(result["figures"], (51, 204), strict=True):
        with Image.open(tmp_path / figure["file"]) as image:
            assert np.unique(np.asarray(image)).tolist() == [level]


@pytest.mark.parametrize("metrics", [None, {}, {"none": None}])
def test_without_measures_nothing_is_added(
    metrics: Any, loud_network: Network, tmp_path: Path
) -> None:
    assert "figures" not in experiment(loud_network, metrics).run(Record(tmp_path)).to_dict()


def test_what_cannot_be_measured_is_refused_before_the_run(loud_network: Network) -> None:
    with pytest.raises(InputError, match="nothing here to measure"):
        experiment(loud_network, {"it": Refused()})
