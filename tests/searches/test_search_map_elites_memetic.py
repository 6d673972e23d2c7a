"""Memetic MAP-Elites: against a gradient search, and a map kept by plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from small_worlds import Analytic, rows_of
from torch import Tensor

from synth.core import Problem, Rows, Search, State, StepReport
from synth.core.lineage import line_of
from synth.errors import InputError
from synth.searches.gradient import Gradient
from synth.searches.map_elites_memetic import MapElitesMemetic
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation

LENGTH, CELLS = 4, 5
CORNERS = 2 * torch.randn(CELLS, LENGTH, generator=torch.Generator().manual_seed(1))


class Peaks(Analytic):
    """A smooth peak for each cell; records all genomes with their scores."""

    def __init__(self, **options) -> None:
        super().__init__(
            lambda genome, rows: (-(genome[:, None] - CORNERS).square().sum(2) / 8).exp(),
            lambda rows: rows.normal(LENGTH),
            **options,
        )
        self.visited: list[tuple[Tensor, Tensor]] = []

    @property
    def columns(self) -> int:
        return CELLS

    def evaluate(self, genome, rows, cotangents=None):
        result = super().evaluate(genome, rows, cotangents)
        self.visited.append((genome.clone(), result.scores.clone()))
        return result


def memetic(**options) -> MapElitesMemetic:
    numbers = {"steps": 12, "batch": 3, "first": 8, "ascents": 4, "rate": 0.1} | options
    return MapElitesMemetic(GaussianMutation(0.3, 0.5), UniformCrossover(), **numbers)


def evolved(
    search: Search, problem: Problem, rows: Rows, steps: int
) -> tuple[list[StepReport], list[State]]:
    state, reports, states = search.init(problem, rows), [], []
    for step in range(steps):
        state, report = search.step(problem, rows, state, step)
        reports.append(report)
        states.append(state)
    return reports, states


def test_a_copy_climbs_as_a_gradient_search_does_and_goes_on_with_its_moments() -> None:
    class Own(Analytic):
        """The only peak, whose gradient is scaled as that of a climb."""

        def evaluate(self, genome, rows, cotangents=None):
            result = super().evaluate(genome, rows, cotangents)
            result.gradient /= result.gradient.abs().amax()
            return result

    peak = CORNERS[0]
    score = lambda genome, rows: -(genome - peak).square().sum(1)  # noqa: E731
    begin = lambda rows: torch.zeros(len(rows), LENGTH)  # noqa: E731
    search = memetic(first=1, batch=1, variation=0.0, rate=0.02)
    reports, states = evolved(search, Analytic(score, begin), rows_of(1), 4)
    adam = Gradient(13, "adam", 0.02, momentum=0.9, momentum2=0.9)
    reference, _ = evolved(adam, Own(score, begin), rows_of(1), 13)
    # three climbs of four steps, each of which went on where the last ended
    assert states[-1]["count"].tolist() == [12]
    torch.testing.assert_close(reports[-1].genome, reference[-1].genome, rtol=1e-4, atol=1e-5)
    assert float(reports[-1].score) > float(reports[0].score)


def test_every_genome_of_a_climb_competes_for_every_cell() -> None:
    problem, rows, search = Peaks(), rows_of(CELLS), memetic(enough=0.99)
    state = search.init(problem, rows)
    best, forwards, backwards, births, every = [-math.inf] * CELLS, 0, 0, [], {}
    for step in range(12):
        problem.visited.clear()
        previous = state
        state, report = search.step(problem, rows, state, step)
        for genomes, scores in problem.visited:
            for cell in range(CELLS):
                best[cell] = max(best[cell], float(scores[:, cell].max()))
            for genome, values in zip(genomes.tolist(), scores.tolist(), strict=True):
                every[tuple(genome)] = values
        assert report.score.tolist() == best
        for cell, elite in enumerate(state["elite"].tolist()):
            assert every[tuple(elite)] == state["scores"][cell].tolist()
        forwards += sum(count for count, _ in problem.calls)
        backwards += sum(count for count, climbs in problem.calls if climbs)
        assert int(report.forwards.sum()) == sum(count for count, _ in problem.calls)
        assert int(report.backwards.sum()) == sum(n for n, climbs in problem.calls if climbs)
        spent = report.forwards + 2 * report.backwards
        assert int(spent.max()) <= search.passes(False, CELLS)
        # cells that are good enough are not climbed for while others are below
        climbed = state["climbs"] > previous["climbs"]
        if (previous["fitness"] < 0.99).any():
            assert not (climbed & (previous["fitness"] >= 0.99)).any()
        births.append(report.births)
        problem.calls.clear()
    assert min(best) > 0.95
    assert backwards == (forwards - 8) * 4 // 5
    for cell in range(CELLS):
        walked = line_of(torch.cat(births), cell, int(state["id"][cell]))
        line = search.ancestors(state)
        assert int(line.generations[cell]) == len(walked) - 1
        assert line.id[cell, int(line.count[cell]) - 1] == walked[-1]


def test_what_cannot_be_is_refused() -> None:
    for wrong in ("steps", "batch", "first", "ascents", "neighbours"):
        with pytest.raises(InputError, match=rf"search\.{wrong}=0: write 1 or more"):
            memetic(**{wrong: 0})
    with pytest.raises(InputError, match=r"search\.rate=0\.0: write a rate above 0"):
        memetic(rate=0.0)
    with pytest.raises(InputError, match=r"search\.momentum=1\.0"):
        memetic(momentum=1.0)
    with pytest.raises(InputError, match=r"search\.variation=1\.5: a share"):
        memetic(variation=1.5)
    with pytest.raises(InputError, match="search=map_elites_memetic: an objective with a score"):
        memetic().init(Peaks(), rows_of(4))
    with pytest.raises(InputError, match="search=map_elites_memetic: this encoding has no grad"):
        memetic().init(Peaks(differentiable=False), rows_of(CELLS))
    with pytest.raises(InputError, match=r"search=map_elites_memetic: elites are not eval.*none"):
        memetic().init(Peaks(stochastic=True), rows_of(CELLS))
