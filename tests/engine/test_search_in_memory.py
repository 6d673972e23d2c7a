"""`Experiment.search` in memory: no file, and the same genomes and images as a run, bit for bit."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from interrupted import at_step
from small_worlds import tiny_module, wrapped

from synth.core import Search
from synth.encodings.cppn import Cppn
from synth.encodings.pixels import Pixels
from synth.engine import experiment as engine
from synth.engine.experiment import Experiment
from synth.engine.metric import Metric, Outcome
from synth.engine.observer import Observer
from synth.engine.state import RunState
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.record.result import Json
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.map_elites import MapElites
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.operators.topology import TopologyMutation
from synth.transforms.affine import Jitter


class StateRecorder(Metric):
    """Records the final state of a run."""

    def __init__(self) -> None:
        self.states: list[RunState] = []

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        self.states.append(outcome.state)
        return {}


class StepRecorder(Observer):
    """Records which of its methods are called, at which steps."""

    def __init__(self, state: RunState | None = None) -> None:
        self.state = state
        self.steps: list[int] = []
        self.lines: list[Json] = []
        self.checkpoints: list[int] = []

    def resume(self) -> RunState | None:
        return self.state

    def step(self, state: RunState) -> None:
        self.steps.append(state.step)

    def flush(self, state: RunState) -> None:
        self.lines += [line["step"] for line in state.lines]
        state.lines = []

    def checkpoint(self, state: RunState) -> None:
        self.checkpoints.append(state.step)


def genetic() -> Search:
    mutate = GaussianMutation(0.2, 0.2)
    return Genetic(Tournament(2), UniformCrossover(0.8), mutate, generations=6, population=6)


def ascent(search: Search, metric: Metric | None = None) -> Experiment:
    return Experiment(
        wrapped(tiny_module(gain=8.0)),
        Pixels(16),
        ClassScore(["lemon", "teapot", "goldfish"], "log_probability"),
        search,
        Jitter(0.1),
        ClassScore(["lemon", "teapot", "goldfish"], "probability"),
        until=0.97,
        seed=3,
        metrics={"states": metric},
    )


def elites(metric: Metric | None = None) -> Experiment:
    search = MapElites(TopologyMutation(), steps=10, batch=6)
    network = wrapped(tiny_module(gain=8.0))
    encoding = Cppn(hidden=8)
    return Experiment(network, encoding, EveryClass(), search, seed=3, metrics={"states": metric})


BUILDS: dict[str, Callable[[Metric | None], Experiment]] = {
    "gradient": lambda metric: ascent(Gradient(12, "adam", 0.03), metric),
    "genetic": lambda metric: ascent(genetic(), metric),
    "map_elites": elites,
}


@pytest.mark.parametrize("name", BUILDS)
def test_a_search_in_memory_writes_no_file_and_equals_the_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    result = BUILDS[name](None).search()
    assert not list(folder.iterdir())
    assert not result.interrupted

    recorder = StateRecorder()
    record = FolderRecord(tmp_path / "run")
    items = BUILDS[name](recorder).run(record).items
    (state,) = recorder.states
    assert torch.equal(result.state.genome, state.genome)
    for field in ("score", "monitor", "forwards", "backwards", "steps", "step"):
        assert getattr(result.state, field) == getattr(state, field), field
    assert len(result.images) == len(items) == len(result.rows)
    for image, item in zip(result.images, items, strict=True):
        if item.file is not None:
            assert torch.equal((image * 255).round(), (record.read_back(item.file) * 255).round())


def test_an_observer_is_given_every_step_and_all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "REPORT_EVERY", -1.0)
    observer = StepRecorder()
    result = ascent(genetic()).search(observer)
    assert observer.steps == list(range(1, result.state.step + 1))
    assert observer.lines == list(range(result.state.step))
    assert observer.checkpoints == []
    assert result.state.lines == []


def test_an_interrupted_search_can_be_resumed_in_memory() -> None:
    whole = ascent(genetic()).search()
    observer = StepRecorder()
    experiment = at_step(ascent(genetic()), 2, lambda: signal.raise_signal(signal.SIGINT))
    result = experiment.search(observer)
    assert result.interrupted
    assert observer.checkpoints == [3]  # the current step is completed
    resumed = ascent(genetic()).search(StepRecorder(result.state))
    assert not resumed.interrupted
    assert torch.equal(resumed.state.genome, whole.state.genome)
    assert resumed.state.score == whole.state.score
