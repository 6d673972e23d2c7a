"""When a run calls its metrics and figures, what they are given, and where their findings go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from synth.core import Rows
from synth.core.network import Network
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.engine.metric import FigureMaker, Metric, Outcome
from synth.errors import InputError
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.record.result import Figure, Json
from synth.searches.gradient import Gradient


class Recorder(Metric):
    """Records what it is given, and returns fixed findings."""

    def __init__(self, findings: Mapping[str, Json]) -> None:
        self.findings = findings
        self.checks: list[tuple[ImageProblem, Rows]] = []
        self.outcomes: list[Outcome] = []

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        self.checks.append((problem, rows))

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        self.outcomes.append(outcome)
        return self.findings


class GreyMetric(Metric):
    """Adds a value to each item, and a grey figure to the outcome."""

    def __init__(self, level: float) -> None:
        self.level = level

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        for item in outcome.items:
            item.extra["grey"] = self.level
        outcome.figures.extend(Grey(self.level)(outcome))
        return {"grey": self.level}


class Grey(FigureMaker):
    """A grey image of the whole run."""

    def __init__(self, level: float) -> None:
        self.level = level
        self.checks: list[tuple[ImageProblem, Rows]] = []

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        self.checks.append((problem, rows))

    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        assert outcome.items[0].predicted  # figures are drawn from finished items
        image = torch.full((3, 9, 9), self.level)
        file = outcome.record.picture(0, image, {"level": self.level}, f"grey{self.level}")
        return [Figure(file, f"Grey {self.level}.")]


class RefusingMetric(Metric):
    def check(self, problem: ImageProblem, rows: Rows) -> None:
        raise InputError("metrics: nothing here to measure.")

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        raise AssertionError("never called")


class RefusingFigure(FigureMaker):
    def check(self, problem: ImageProblem, rows: Rows) -> None:
        raise InputError("figures: nothing here to draw.")

    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        raise AssertionError("never called")


def make_experiment(
    network: Network,
    metrics: Mapping[str, Metric | None] | None = None,
    figures: Mapping[str, FigureMaker | None] | None = None,
) -> Experiment:
    return Experiment(
        network,
        Pixels(16),
        ClassScore(["lemon", "teapot"]),
        Gradient(3),
        until=0.999,
        metrics=metrics,
        figures=figures,
    )


def test_a_metric_is_given_the_run_and_its_findings_join_the_others(
    loud_network: Network, tmp_path: Path
) -> None:
    first = Recorder({"first": 1.5, "both": 1})
    second = Recorder({"second": [2], "both": 2})
    experiment = make_experiment(loud_network, {"first": first, "none": None, "second": second})
    assert [len(metric.checks) for metric in (first, second)] == [1, 1]
    assert first.checks[0][0] is experiment.problem
    assert first.checks[0][1] is experiment.rows
    result = experiment.run(FolderRecord(tmp_path))
    (outcome,) = first.outcomes
    assert outcome.items is result.items
    assert outcome.problem == experiment.problem
    assert outcome.state.genome.shape == (2, 3, 16, 16)
    assert (tmp_path / outcome.items[0].file).is_file()  # saved before a metric is called
    expected = {"first": 1.5, "second": [2], "both": 2, "items": 2}
    assert result.findings.items() >= expected.items()


def test_figures_are_listed_in_their_order(loud_network: Network, tmp_path: Path) -> None:
    makers = {"a": Grey(0.2), "none": None, "b": Grey(0.8)}
    experiment = make_experiment(loud_network, figures=makers)
    assert [len(maker.checks) for maker in makers.values() if maker] == [1, 1]
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    assert [figure["caption"] for figure in result["figures"]] == ["Grey 0.2.", "Grey 0.8."]
    assert "figures" not in result["findings"]
    for figure, level in zip(result["figures"], (51, 204), strict=True):
        with Image.open(tmp_path / figure["file"]) as image:
            assert np.unique(np.asarray(image)).tolist() == [level]


def test_figures_of_metrics_come_first_and_values_stay_with_their_items(
    loud_network: Network, tmp_path: Path
) -> None:
    metrics = {"a": GreyMetric(0.2), "recorder": Recorder({}), "b": GreyMetric(0.4)}
    experiment = make_experiment(loud_network, metrics, {"c": Grey(0.8)})
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    assert [figure["file"] for figure in result["figures"]] == [
        "grey0.2/000.png",
        "grey0.4/000.png",
        "grey0.8/000.png",
    ]
    assert [item["grey"] for item in result["items"]] == [0.4, 0.4]
    assert result["findings"]["grey"] == 0.4


@pytest.mark.parametrize("parts", [None, {}, {"none": None}])
def test_without_metrics_and_figures_nothing_is_added(
    parts: dict[str, None] | None, loud_network: Network, tmp_path: Path
) -> None:
    plain = make_experiment(loud_network).run(FolderRecord(tmp_path / "plain"))
    result = make_experiment(loud_network, parts, parts).run(FolderRecord(tmp_path / "none"))
    assert result.figures == []
    assert result.findings == plain.findings
    assert all(not item.extra for item in result.items)


def test_what_cannot_be_measured_or_drawn_is_refused_before_the_run(loud_network: Network) -> None:
    with pytest.raises(InputError, match="nothing here to measure"):
        make_experiment(loud_network, {"it": RefusingMetric()})
    with pytest.raises(InputError, match="nothing here to draw"):
        make_experiment(loud_network, figures={"it": RefusingFigure()})


@pytest.mark.parametrize("kind", [Metric, FigureMaker])
def test_both_kinds_are_abstract_and_check_nothing_by_default(
    kind: type[Metric] | type[FigureMaker], loud_network: Network
) -> None:
    with pytest.raises(TypeError, match="__call__"):
        kind()  # type: ignore[abstract]
    experiment = make_experiment(loud_network)
    part = GreyMetric(0.1) if kind is Metric else Grey(0.1)
    assert kind.check(part, experiment.problem, experiment.rows) is None  # type: ignore[arg-type]
