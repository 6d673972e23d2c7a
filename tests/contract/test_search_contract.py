"""What every search owes: a state of tensors whose axis 0 is the item, a step a row, and any encoding searched."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from parts import names, part
from small_worlds import tiny_module, wrapped

from synth.core import Search, State
from synth.core.network import Network
from synth.engine.experiment import Experiment
from synth.engine.fitness import own
from synth.errors import InputError
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import Channel, ClassScore
from synth.record.record import Record
from synth.searches.stages import Stages

TARGETS = ["goldfish", "lemon"]


@pytest.fixture(scope="module")
def small() -> Network:
    return wrapped(tiny_module(gain=4.0))


def _experiment(search: str, encoding: str, small: Network, unit: bool = False) -> Experiment:
    found = part("search", search)
    objective = Channel("conv2", [1, 3]) if unit else ClassScore(TARGETS, "log_probability")
    return Experiment(
        small,
        part("encoding", encoding),
        EveryClass(TARGETS) if found.shared_population else objective,
        found,
    )


def _copy(state: State) -> State:
    return {key: value.clone() for key, value in state.items()}


@pytest.mark.parametrize("name", names("search"))
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
        again, _ = search.step(
            problem, rows, _copy(state), step
        )  # a step may write into the state it is given
        state, said = search.step(problem, rows, state, step)
        assert all(torch.equal(again[key], state[key]) for key in state)
        assert said.genome.shape == problem.start(rows).shape
        for number in (said.score, said.monitor, said.forwards, said.backwards):
            assert number.shape == (len(rows),)
        assert bool(said.score.isfinite().all())
        assert bool((said.forwards > 0).all())
        assert all(
            value.shape == (len(rows),)
            for value in (*said.terms.values(), *said.statistics.values())
        )
        if not isinstance(
            search, Stages
        ):  # whose small pictures are scored small, and shown at full size
            score = own(
                problem.evaluate(said.genome, rows).scores, rows
            )  # the genome is the one that was scored
            torch.testing.assert_close(said.score, score, rtol=1e-4, atol=1e-5)
    legal = problem.project(said.genome, rows)
    torch.testing.assert_close(legal, said.genome)


@pytest.mark.parametrize("name", names("search"))
def test_an_item_that_leaves_changes_nothing_for_those_that_stay(name: str, small: Network) -> None:
    experiment = _experiment(name, "pixels", small)
    search, problem, rows = experiment.search, experiment.problem, experiment.rows
    if search.shared_population:
        return  # its items live from one another, and none leaves before the others
    state, _ = search.step(problem, rows, search.init(problem, rows), 0)
    last = torch.tensor([1])
    alone, said = search.step(
        problem, rows.select(last), {key: value[last] for key, value in state.items()}, 1
    )
    both, _ = search.step(problem, rows, state, 1)
    assert len(said.score) == 1
    for key in both:
        torch.testing.assert_close(alone[key], both[key][last], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("unit", [False, True], ids=["class", "channel"])
@pytest.mark.parametrize("encoding", names("encoding"))
@pytest.mark.parametrize("search", names("search"))
def test_any_search_on_any_encoding_under_any_objective(
    search: str, encoding: str, unit: bool, small: Network, tmp_path: Path
) -> None:
    if part("search", search).gradient and not part("encoding", encoding).differentiable:
        with pytest.raises(InputError, match="no gradient"):
            _experiment(search, encoding, small, unit)
        return
    if part("search", search).shared_population and len(part("encoding", encoding).items or ()) > 1:
        with pytest.raises(InputError, match="name one picture"):
            _experiment(search, encoding, small, unit)
        return
    experiment = _experiment(search, encoding, small, unit)
    experiment.steps = 2
    result = experiment.run(Record(tmp_path))
    assert result["status"] == "done"
    problem, rows = experiment.problem, experiment.rows
    assert len(result["items"]) == len(
        problem.images(problem.start(rows), rows)
    )  # 2, or all facets of each
    for item in result["items"]:
        assert (tmp_path / item["file"]).is_file()
        assert item["forwards"] > 0
        assert (item["confidence"] is None) == (unit and not experiment.search.shared_population)
