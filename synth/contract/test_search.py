"""What every search owes: tensor states with items on axis 0, reproducible steps, any encoding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synth.contract.cases import for_each
from synth.contract.parts import part
from synth.contract.worlds import tiny_module, wrapped
from synth.core import Encoding, Search, State
from synth.core.network import Network
from synth.engine.experiment import Experiment
from synth.engine.fitness import own
from synth.errors import InputError
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import Channel, ClassScore
from synth.record.folder_record import FolderRecord

TARGETS = ["goldfish", "lemon"]


@pytest.fixture(scope="module")
def small() -> Network:
    return wrapped(tiny_module(gain=4.0))


def _experiment(search: str, encoding: str, small: Network, unit: bool = False) -> Experiment:
    method = part("search", search)
    objective = Channel("conv2", [1, 3]) if unit else ClassScore(TARGETS, "log_probability")
    return Experiment(
        small,
        part("encoding", encoding),
        EveryClass(TARGETS) if method.shared_population else objective,
        method,
    )


def _copy(state: State) -> State:
    return {key: value.clone() for key, value in state.items()}


@for_each(name="search")
def test_state_and_steps(name: str, small: Network) -> None:
    search = part("search", name)
    assert isinstance(search, Search)
    assert search.steps >= 1
    experiment = _experiment(name, "pixels", small)
    problem, rows = experiment.problem, experiment.rows
    state = search.init(problem, rows)
    for step in range(3):
        assert state
        for value in state.values():
            assert isinstance(value, torch.Tensor)
            assert len(value) == len(rows)
        # a copy, because a step may write into the state that it gets
        again, _ = search.step(problem, rows, _copy(state), step)
        state, report = search.step(problem, rows, state, step)
        assert all(torch.equal(again[key], state[key]) for key in state)
        assert report.genome.shape == problem.start(rows).shape
        numbers = [report.score, report.monitor, report.forwards, report.backwards]
        for number in (*numbers, *report.terms.values(), *report.statistics.values()):
            assert number.shape == (len(rows),)
        assert bool(report.score.isfinite().all())
        assert bool((report.forwards > 0).all())
        if not search.staged:  # the reported genome is the one that was scored
            score = own(problem.evaluate(report.genome, rows).scores, rows)
            torch.testing.assert_close(report.score, score, rtol=1e-4, atol=1e-5)
    legal = problem.project(report.genome, rows)
    torch.testing.assert_close(legal, report.genome)


@for_each(name="search")
def test_an_item_that_leaves_changes_nothing_for_those_that_stay(name: str, small: Network) -> None:
    experiment = _experiment(name, "pixels", small)
    search, problem, rows = experiment.search_method, experiment.problem, experiment.rows
    if search.shared_population:
        return  # no item leaves before all are finished
    state, _ = search.step(problem, rows, search.init(problem, rows), 0)
    last = torch.tensor([1])
    state_of_last = {key: value[last] for key, value in state.items()}
    alone, report = search.step(problem, rows.select(last), state_of_last, 1)
    both, _ = search.step(problem, rows, state, 1)
    assert len(report.score) == 1
    for key in both:
        torch.testing.assert_close(alone[key], both[key][last], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("unit", [False, True], ids=["class", "channel"])
@for_each(search="search", encoding="encoding")
def test_any_search_on_any_encoding_under_any_objective(
    search: str, encoding: str, unit: bool, small: Network, tmp_path: Path
) -> None:
    method, image_encoding = part("search", search), part("encoding", encoding)
    if method.gradient and not image_encoding.differentiable:
        with pytest.raises(InputError, match="no gradient"):
            _experiment(search, encoding, small, unit)
        return
    if method.shared_population and len(image_encoding.names or ()) > 1:
        with pytest.raises(InputError, match="name one picture"):
            _experiment(search, encoding, small, unit)
        return
    if method.staged and type(image_encoding).transfer is Encoding.transfer:
        with pytest.raises(InputError, match="transfers no genome"):
            _experiment(search, encoding, small, unit)
        return
    experiment = _experiment(search, encoding, small, unit)
    experiment.steps = 2
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    assert result["status"] == "done"
    problem, rows = experiment.problem, experiment.rows
    # one item for each row, or for each of the images that a genome decodes to
    assert len(result["items"]) == len(problem.images(problem.start(rows), rows))
    has_no_class = unit and not method.shared_population
    for item in result["items"]:
        assert (tmp_path / item["file"]).is_file()
        assert item["forwards"] > 0
        assert (item["confidence"] is None) == has_no_class
