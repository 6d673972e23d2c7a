"""MAP-Elites, against a map kept by plain Python dictionaries from the same children."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from small_worlds import Analytic, rows_of
from torch import Tensor

from synth.core import Rows, State, StepReport
from synth.core.lineage import line_of
from synth.engine.state import MAX_COLUMNS, ConfidenceHistory
from synth.errors import InputError
from synth.record.checkpoint import marked
from synth.searches._elites import FRAMES
from synth.searches.map_elites import MapElites
from synth.searches.operators.combined_mutation import SelfAdaptive
from synth.searches.operators.crossover import NoCrossover, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation

LENGTH = 4


class Cells(Analytic):
    """Genomes of LENGTH numbers and `columns` cells; records all offspring with their scores."""

    def __init__(self, count: int, score=None, **options) -> None:
        corners = torch.randn(count, LENGTH, generator=torch.Generator().manual_seed(1)) * 2
        near = lambda genome, rows: -(genome[:, None] - corners).square().sum(2)  # noqa: E731
        super().__init__(
            score or near, lambda rows: rows.normal(LENGTH), differentiable=False, **options
        )
        self._columns = count
        self.children: list[tuple[Tensor, Tensor]] = []

    @property
    def columns(self) -> int:
        return self._columns

    def evaluate(self, genome, rows, cotangents=None):
        result = super().evaluate(genome, rows, cotangents)
        self.children.append((genome.clone(), result.scores.clone()))
        return result


def archive(steps: int = 30, batch: int = 12, **options) -> MapElites:
    return MapElites(**{"mutate": GaussianMutation(0.3, 0.5), **options}, steps=steps, batch=batch)


def evolved(
    search: MapElites, problem: Cells, rows: Rows, steps: int | None = None
) -> tuple[list[StepReport], list[State]]:
    state, reports, states = search.init(problem, rows), [], []
    for step in range(search.steps if steps is None else steps):
        state, entry = search.step(
            problem, rows, {name: value.clone() for name, value in state.items()}, step
        )
        reports.append(entry)
        states.append(state)
    return reports, states


def spoilt(genome: Tensor, rows: Rows) -> Tensor:
    """Three cells: a usual one, one whose scores are often NaN, one that is hardly ever entered."""
    usual = -genome.square().sum(1)
    often = torch.where(
        genome[:, 0] > 0, torch.where(genome[:, 1] > 0, torch.inf, torch.nan), genome[:, 0]
    )
    rare = usual.masked_fill(genome[:, 2] < 1.5, -torch.inf)
    return torch.stack([usual, often, rare], 1)


WORLDS = {
    "more children than cells": (5, 12, None),
    "fewer children than cells": (9, 4, None),
    "one child": (3, 1, None),
    "one cell": (1, 7, None),
    "scores that are none": (3, 10, spoilt),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    "mate", [None, NoCrossover(), UniformCrossover()], ids=["no", "none", "uniform"]
)
def test_the_map_is_that_of_plain_python(world: str, mate) -> None:
    cells, batch, score = WORLDS[world]
    problem, rows = Cells(cells, score), rows_of(cells)
    reports, states = evolved(archive(25, batch, mate=mate), problem, rows)
    elites: dict[int, tuple[float, list[float], int]] = {}
    births: set[tuple[int, ...]] = set()
    for step, ((children, scores), entry, state) in enumerate(
        zip(problem.children, reports, states, strict=True)
    ):
        assert len(children) == batch
        entered = {}
        for place, (child, values) in enumerate(
            zip(children.tolist(), scores.tolist(), strict=True)
        ):
            for cell, value in enumerate(values):
                if (
                    math.isfinite(value)
                    and value > entered.get(cell, elites.get(cell, (-math.inf,)))[0]
                ):
                    entered[cell] = (value, child, step * batch + place)
        reference = {identity for _, _, identity in elites.values()}
        elites |= entered
        for cell in range(cells):
            value, genome, identity = elites.get(
                cell, (-math.inf, state["elite"][cell].tolist(), -1)
            )
            assert float(entry.score[cell]) == value
            assert entry.genome[cell].tolist() == genome
            assert int(state["id"][cell]) == identity
        assert {(cell, identity) for cell, (_, _, identity) in entered.items()} == {
            tuple(row[:2]) for row in entry.births.tolist()
        }
        for _, _, parent, partner in entry.births.tolist():
            assert parent in reference or (parent == -1 and (step == 0 or not reference))
            assert (
                (partner in reference)
                if isinstance(mate, UniformCrossover) and partner >= 0
                else partner == -1
            )
        births |= {tuple(row) for row in entry.births.tolist()}
        assert int(entry.statistics["invalid"][0]) == sum(
            any(math.isnan(value) or value == math.inf for value in values)
            for values in scores.tolist()
        )
        assert int(entry.forwards.sum()) == batch
        assert int(entry.forwards.max()) <= archive(1, batch).passes(False, cells)
    shares = torch.stack([entry.forwards for entry in reports]).sum(0)
    assert int(shares.max() - shares.min()) <= 1  # nobody pays for the others
    scores = torch.stack([entry.score for entry in reports])
    assert bool((scores[1:] >= scores[:-1]).all())
    assert len(elites) >= cells - 1


def test_statistics_are_of_the_filled_cells() -> None:
    reports, _ = evolved(archive(15, 10), Cells(3, spoilt), rows_of(3))
    for entry in reports:
        filled = entry.score[entry.score > -torch.inf].double().numpy()
        assert float(entry.statistics["mean"][0]) == pytest.approx(filled.mean(), rel=1e-4)
        assert float(entry.statistics["std"][0]) == pytest.approx(filled.std(), rel=1e-3, abs=1e-5)
        assert float(entry.statistics["max"][0]) == pytest.approx(filled.max())


@pytest.mark.parametrize("focus", [0.0, 0.5, 1.0])
def test_parents_are_filled_cells_the_worse_half_more_often(focus: float) -> None:
    search = archive(batch=4000)
    fitness = torch.tensor([0.0, -torch.inf, 5.0, -torch.inf, -3.0, 1.0])
    cells = search._select(fitness, rows_of(1), focus)
    output = np.bincount(cells, minlength=6)
    assert output[[1, 3]].sum() == 0
    worse, any_one = focus * 4000 / 2, (1 - focus) * 4000 / 4
    law = np.array([worse + any_one, any_one, worse + any_one, any_one])
    assert stats.chisquare(output[[0, 2, 4, 5]][law > 0], law[law > 0]).pvalue > 0.01


def test_a_single_filled_cell_is_everybodys_parent() -> None:
    fitness = torch.tensor([-torch.inf, -torch.inf, 2.0])
    assert bool((archive(batch=50)._select(fitness, rows_of(1), 0.5) == 2).all())
    with pytest.raises(InputError, match="focus"):
        archive(focus=1.5)


def test_nothing_ever_valid_is_survived_and_nobodys_ancestor() -> None:
    late = {"valid": False}

    def score(genome: Tensor, rows: Rows) -> Tensor:
        value = -genome.square().sum(1, keepdim=True).repeat(1, 2)
        return value if late["valid"] else value * torch.nan

    problem, rows, search = Cells(2, score), rows_of(2), archive(12, 6)
    reports, states = evolved(search, problem, rows, 3)
    assert reports[-1].score.tolist() == [-math.inf] * 2
    assert reports[-1].statistics["invalid"].tolist() == [6, 6]
    assert bool(reports[-1].genome.isfinite().all())
    assert sum(len(entry.births) for entry in reports) == 0
    late["valid"] = True
    state, births = states[-1], []
    for step in range(3, 12):
        state, entry = search.step(problem, rows, state, step)
        births.append(entry.births)
    line = search.ancestors(state)
    for cell in range(2):
        walked = line_of(torch.cat(births), cell, int(state["id"][cell]))
        assert walked[0] >= 3 * 6
        assert (
            line.id[cell, : int(line.count[cell])].tolist()
            == walked[:: max(1, int(state["frame_every"][cell]))][: int(state["frame_count"][cell])]
            + walked[-1:]
        )


@pytest.mark.parametrize("cells", [1, 6])
def test_ancestors_are_evenly_spaced_on_the_walked_line(cells: int) -> None:
    """Every step improves some elite, so that lines are many times longer than their frames."""
    if cells == 1:
        problem = Cells(1, lambda genome, rows: genome.sum(1, keepdim=True))
    else:
        problem = Cells(
            cells,
            lambda genome, rows: (
                genome @ torch.randn(LENGTH, cells, generator=torch.Generator().manual_seed(3))
            ),
        )
    rows, search = rows_of(cells), archive(260, 6)
    reports, states = evolved(search, problem, rows)
    births, longest, checked = torch.cat([entry.births for entry in reports]), 0, 0
    message = {}  # what each was when it entered: by id, its genome and when
    for step, entry in enumerate(reports):
        for cell, identity, _, _ in entry.births.tolist():
            message.setdefault(identity, (entry.genome[cell].tolist(), step))
    for state in states[::20] + states[-1:]:
        line = search.ancestors(state)
        for cell in range(cells):
            walked = line_of(births, cell, int(state["id"][cell]))
            count = int(line.count[cell])
            assert 1 <= count <= FRAMES + 1
            assert int(line.generations[cell]) == len(walked) - 1
            ids = line.id[cell, :count].tolist()
            assert ids[0] == walked[0]
            assert ids[-1] == walked[-1] == int(state["id"][cell])
            places = [walked.index(identity) for identity in ids]
            gaps = set(np.diff(places[:-1]).tolist())
            assert len(gaps) <= 1
            if gaps:
                (gap,) = gaps
                assert gap & (gap - 1) == 0
                assert 0 < places[-1] - places[-2] <= gap
                assert len(walked) - 1 <= FRAMES * gap
                assert gap == 1 or count - 1 > FRAMES // 2 - 1
            for place, identity in enumerate(ids):
                assert line.genomes[cell, place].tolist() == message[identity][0]
                assert int(line.step[cell, place]) == message[identity][1]
            score = problem.score(line.genomes[cell, :count], rows_of(count))
            own = score[torch.arange(count), line.cell[cell, :count]]
            torch.testing.assert_close(line.score[cell, :count], own)
            longest, checked = max(longest, len(walked)), checked + 1
    assert longest > 4 * FRAMES
    assert checked > 10


def test_strengths_are_inherited() -> None:
    mutate = SelfAdaptive(GaussianMutation(0.3, 1.0), 0.3, 0.001, 20.0)
    problem, rows = Cells(5), rows_of(5)
    _, states = evolved(archive(150, 20, mutate=mutate), problem, rows)
    assert torch.equal(states[0]["strength"], torch.ones(5))
    assert float(states[-1]["strength"].median()) < 0.6  # near the corners small steps win
    reference: dict[int, float] = {}
    for state in states:
        for identity, strength in zip(
            state["id"].tolist(), state["strength"].tolist(), strict=True
        ):
            assert reference.setdefault(identity, strength) == strength


def test_children_are_projected_and_a_given_genome_comes_first() -> None:
    problem, rows = Cells(3, box=(-0.5, 0.5)), rows_of(3)
    initial = torch.full((3, LENGTH), 0.25)
    search = archive(5, 6, mutate=GaussianMutation(5.0, 1.0))
    state = search.init(problem, rows, initial)
    for step in range(3):
        state, _ = search.step(problem, rows, state, step)
    assert torch.equal(problem.children[0][0][:3], initial)
    assert all(float(children.abs().max()) <= 0.5 for children, _ in problem.children[1:])


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"steps": 0}, {"batch": 0}, {"batch": -1}):
        with pytest.raises(InputError, match=rf"search\.{next(iter(wrong))}="):
            archive(**wrong)
    with pytest.raises(InputError, match=r"each of the 4 items.*has 3"):
        archive().init(Cells(3), rows_of(4))


# -- the course of a run


@pytest.mark.parametrize("steps", [1, MAX_COLUMNS, MAX_COLUMNS + 1, 1000, 5000])
def test_a_history_keeps_evenly_spaced_moments(steps: int) -> None:
    history = ConfidenceHistory()
    for step in range(steps):
        history.note(step, 3 * step + 1, [step / 7, -math.inf])
    assert len(history.moments) <= MAX_COLUMNS
    result = history.archive(["a", "b"], [steps, 3 * steps, [0.5, 0.0]])
    every = 1
    while -(-steps // every) > MAX_COLUMNS:
        every *= 2
    assert result["steps"] == [*range(0, steps, every), steps]
    assert result["evaluations"] == [*(3 * step + 1 for step in range(0, steps, every)), 3 * steps]
    assert result["confidence"][0] == [
        *(round(step / 7, 4) for step in range(0, steps, every)),
        0.5,
    ]
    assert result["confidence"][1] == [None] * (len(result["steps"]) - 1) + [0.0]
    assert result["names"] == ["a", "b"]


def test_an_archive_goes_on_from_the_elites_of_an_earlier_one(tmp_path: Path) -> None:
    problem, rows = Cells(5), rows_of(5)
    reports, states = evolved(archive(), problem, rows)
    path = tmp_path / "genomes.safetensors"
    path.write_bytes(marked({"genome": states[-1]["elite"]}))
    later, _ = evolved(archive(archive=str(path)), problem, rows)
    assert (later[0].score >= reports[-1].score).all()
    assert (later[-1].score > reports[-1].score).any()
    anew, _ = evolved(archive(), problem, rows)
    assert (anew[0].score < reports[-1].score).any()
    with pytest.raises(InputError, match=r"search\.batch=4: the archive has 5 genomes"):
        archive(archive=str(path), batch=4)
    path.write_bytes(marked({"genome": torch.zeros(5, LENGTH + 1)}))
    with pytest.raises(InputError, match="write the encoding of the earlier run"):
        archive(archive=str(path)).init(problem, rows)
    path.write_bytes(marked({"genome": torch.full((2, LENGTH), torch.nan)}))
    with pytest.raises(InputError, match="NaN or infinity"):
        archive(archive=str(path))
    path.write_bytes(b"none")
    with pytest.raises(InputError, match="holds no genomes"):
        archive(archive=str(path))
