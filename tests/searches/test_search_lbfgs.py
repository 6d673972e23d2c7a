"""L-BFGS by rows, against closed forms, SciPy and the two-loop recursion's dense counterpart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize
from small_worlds import Analytic, quadratics, rows_of
from torch import Tensor

from synth.core import Rows, State, StepReport
from synth.errors import InputError
from synth.searches.lbfgs import LBFGS


def climbed(
    search: LBFGS, problem: Analytic, rows: Rows, steps: int
) -> tuple[list[StepReport], State]:
    state, reports = search.init(problem, rows), []
    for step in range(steps):
        state, entry = search.step(problem, rows, state, step)
        reports.append(entry)
    return reports, state


def double(problem: Analytic) -> Analytic:
    """The same problem with genomes in float64, so that convergence is not hidden by rounding."""
    begin = problem.begin
    return Analytic(problem.score, lambda rows: begin(rows).double())


STARTS = torch.tensor([[-1.2, 1.0], [2.0, -2.0], [0.0, 3.0], [-3.0, -1.0]])
STEEPNESS = torch.tensor([100.0, 10.0, 300.0, 30.0])


def rosenbrock() -> Analytic:
    def score(genome: Tensor, rows: Rows) -> Tensor:
        x, y = genome[:, 0], genome[:, 1]
        return -((1 - x) ** 2 + STEEPNESS.to(genome)[rows.item] * (y - x * x) ** 2)

    return double(Analytic(score, lambda rows: STARTS[rows.item]))


@pytest.mark.parametrize("condition", [1.0, 100.0, 10_000.0])
def test_ill_conditioned_quadratics_are_solved_row_by_row(condition: float) -> None:
    problem, matrices, centres = quadratics(5, 8, condition)
    reports, state = climbed(LBFGS(memory=10), double(problem), rows_of(5), 90)
    difference = state["genome"] - centres.double()
    missing = 0.5 * torch.einsum("ri,rij,rj->r", difference, matrices.double(), difference)
    first = -reports[0].score
    assert (missing < 1e-6 * first.clamp_min(1)).all()
    torch.testing.assert_close(state["score"], -missing)


def test_rosenbrocks_valley_is_walked_to_its_end() -> None:
    problem = rosenbrock()
    reports, state = climbed(LBFGS(first=0.1), problem, rows_of(4), 120)
    torch.testing.assert_close(
        state["genome"], torch.ones(4, 2, dtype=torch.float64), atol=1e-5, rtol=0
    )
    for item in range(4):
        steep = float(STEEPNESS[item])
        solved = optimize.minimize(
            lambda p, s=steep: (1 - p[0]) ** 2 + s * (p[1] - p[0] ** 2) ** 2,
            STARTS[item].numpy(),
            method="L-BFGS-B",
        )
        reached = next(
            number
            for number, entry in enumerate(reports)
            if entry.score[item] > -max(solved.fun, 1e-8)
        )
        assert (
            reached <= 3 * solved.nit
        )  # SciPy's line search is of Wolfe's conditions, ours of Armijo's


def test_scores_never_fall_and_are_those_of_the_genome_given() -> None:
    problem = rosenbrock()
    reports, _ = climbed(LBFGS(), problem, rows_of(4), 40)
    scores = torch.stack([entry.score for entry in reports])
    assert (scores.diff(dim=0) >= 0).all()
    for entry in reports:
        torch.testing.assert_close(entry.score, problem.score(entry.genome, rows_of(4)))
        torch.testing.assert_close(entry.monitor, entry.score)
        torch.testing.assert_close(entry.terms["score"], entry.score)


def corner() -> Analytic:
    """The first item starts in the corner of the box that it climbs to: all line searches fail."""

    def begin(rows: Rows) -> Tensor:
        return (rows.item == 0).float()[:, None].expand(-1, 3).clone()

    return Analytic(lambda genome, rows: genome.sum(1), begin, box=(0.0, 1.0))


@pytest.mark.parametrize("build", [rosenbrock, corner])
def test_passes_are_counted_to_the_last(build: Callable[[], Analytic]) -> None:
    problem = build()
    search, rows = LBFGS(tries=6), rows_of(4)
    state = search.init(problem, rows)
    assert problem.calls == []
    for step in range(40):
        problem.calls.clear()
        state, report = search.step(problem, rows, state, step)
        assert int(report.forwards.sum()) == sum(count for count, _ in problem.calls)
        assert int(report.backwards.sum()) == sum(
            count for count, pulled in problem.calls if pulled
        )
        assert (report.forwards <= 6 + 2).all()
        assert (report.forwards + 2 * report.backwards <= search.passes(stochastic=False)).all()
        if step == 0:
            assert problem.calls[0] == (4, True)
            assert (report.forwards >= 2).all()


def test_rows_are_as_alone() -> None:
    problem, _, _ = quadratics(4, 6, 1000.0, seed=3)
    problem, search, rows = double(problem), LBFGS(memory=5), rows_of(4)
    whole, _ = climbed(search, problem, rows, 25)
    for item in (0, 2):
        alone, _ = climbed(search, problem, rows.select(torch.tensor([item])), 25)
        for together, single in zip(whole, alone, strict=True):
            torch.testing.assert_close(
                together.genome[item], single.genome[0], atol=1e-6, rtol=1e-6
            )
            assert together.forwards[item] == single.forwards[0]
            assert together.backwards[item] == single.backwards[0]


def test_rows_that_leave_do_not_move_those_that_stay() -> None:
    problem, _, _ = quadratics(4, 6, 100.0, seed=4)
    problem, search, rows = double(problem), LBFGS(), rows_of(4)
    whole, _ = climbed(search, problem, rows, 14)
    state = search.init(problem, rows)
    for step in range(6):
        state, _ = search.step(problem, rows, state, step)
    saved = torch.tensor([3, 1])
    state = {name: value[saved] for name, value in state.items()}
    for step in range(6, 14):
        state, reports = search.step(problem, rows.select(saved), state, step)
        torch.testing.assert_close(reports.genome, whole[step].genome[saved], atol=1e-8, rtol=1e-8)


def test_the_two_loops_are_the_dense_bfgs_update() -> None:
    """With as many places as pairs, the recursion is H g, H by BFGS (Nocedal & Wright 6.17)."""
    draws = torch.Generator().manual_seed(5)
    count, length, memory = 3, 5, 4
    matrix = torch.randn(count, length, length, generator=draws, dtype=torch.float64)
    matrix = matrix @ matrix.mT + torch.eye(length)
    moves = torch.randn(count, memory, length, generator=draws, dtype=torch.float64)
    turns = torch.einsum("rij,rmj->rmi", matrix, moves)
    slope = torch.randn(count, length, generator=draws, dtype=torch.float64)
    stored = torch.tensor([0, 2, 4])  # the first row has no pair yet, the second two, the third all
    reference = torch.arange(memory) >= memory - stored[:, None]
    state = {
        "moves": torch.where(reference[..., None], moves, 0.0),
        "turns": torch.where(reference[..., None], turns, 0.0),
        "inverse": torch.where(reference, 1 / (moves * turns).sum(2), 0.0),
    }
    result = LBFGS(memory=memory)._direction(slope, state)
    for row in range(count):
        dense = np.eye(length)
        pairs = [
            (moves[row, i].numpy(), turns[row, i].numpy())
            for i in range(memory)
            if reference[row, i]
        ]
        if pairs:
            s, y = pairs[-1]
            dense *= (s @ y) / (y @ y)
        for s, y in pairs:
            rho, unit = 1 / (s @ y), np.eye(length)
            dense = (unit - rho * np.outer(s, y)) @ dense @ (
                unit - rho * np.outer(y, s)
            ) + rho * np.outer(s, s)
        np.testing.assert_allclose(result[row], dense @ slope[row].numpy(), rtol=1e-8)


def test_the_first_move_is_as_long_as_asked() -> None:
    problem = Analytic(
        lambda g, rows: g @ torch.tensor([3.0, -4.0]), lambda rows: torch.zeros(len(rows), 2)
    )
    reports, _ = climbed(LBFGS(first=0.05), problem, rows_of(2), 1)
    torch.testing.assert_close(reports[0].genome, torch.tensor([[0.0375, -0.05]]).expand(2, 2))


def test_a_row_at_its_summit_stays_and_the_others_go_on() -> None:
    peaks = torch.tensor([0.0, 1.0])

    def score(genome: Tensor, rows: Rows) -> Tensor:
        return -((genome - peaks.to(genome)[rows.item][:, None]) ** 2).sum(1)

    problem = Analytic(score, lambda rows: torch.zeros(len(rows), 3))
    reports, state = climbed(LBFGS(tries=4), problem, rows_of(2), 12)
    assert torch.equal(reports[-1].genome[0], torch.zeros(3))
    assert all(entry.score[0] == 0 and entry.monitor[0] == 0 for entry in reports)
    torch.testing.assert_close(state["genome"][1], torch.ones(3), atol=1e-4, rtol=0)
    assert (state["inverse"][0] == 0).all()  # what could not move has forgotten its curvature


def test_it_stays_inside_the_box_and_climbs_along_its_wall() -> None:
    centre = torch.tensor([2.0, 0.3])
    problem = Analytic(
        lambda g, rows: -((g - centre) ** 2 * torch.tensor([1.0, 20.0])).sum(1),
        lambda rows: torch.full((len(rows), 2), 0.5),
        box=(0.0, 1.0),
    )
    reports, _ = climbed(LBFGS(), problem, rows_of(1), 25)
    assert all(entry.genome.min() >= 0 and entry.genome.max() <= 1 for entry in reports)
    torch.testing.assert_close(reports[-1].genome[0], torch.tensor([1.0, 0.3]), atol=1e-2, rtol=0)


def test_a_given_genome_is_where_it_starts() -> None:
    problem, _, centres = quadratics(2, 4)
    search, rows = LBFGS(), rows_of(2)
    _, report = search.step(problem, rows, search.init(problem, rows, centres.clone()), 0)
    assert torch.equal(report.genome, centres)
    assert report.score.abs().max() == 0


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"steps": 0}, {"memory": 0}, {"tries": 0}, {"first": 0.0}):
        with pytest.raises(InputError, match="search"):
            LBFGS(**wrong)

    def begin(rows: Rows) -> Tensor:
        return torch.zeros(len(rows), 2)

    noisy = Analytic(lambda g, rows: g.sum(1) + rows.uniform(), begin, stochastic=True)
    with pytest.raises(InputError, match="write transform=none, or use search=gradient"):
        LBFGS().init(noisy, rows_of(1))
    with pytest.raises(InputError, match="use search=genetic"):
        LBFGS().init(Analytic(lambda g, rows: g.sum(1), begin, differentiable=False), rows_of(1))
