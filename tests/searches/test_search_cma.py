"""CMA-ES against DEAP's strategy sample by sample, and `cma` in the evaluations it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from deap import cma as deaps
from small_worlds import Analytic, rows_of
from torch import Tensor

from synth.core import Rows, State, StepReport
from synth.errors import InputError
from synth.searches._cma_rates import rates
from synth.searches.cma import CmaEs
from synth.searches.genetic import Individual

Function = Callable[[Tensor], Tensor]


def sphere(x: Tensor) -> Tensor:
    return x.square().sum(-1)


def ellipsoid(x: Tensor) -> Tensor:
    """Axes a thousand times as steep as others."""
    return (torch.logspace(0, 6, x.shape[-1], dtype=x.dtype) * x.square()).sum(-1)


def turned(x: Tensor) -> Tensor:
    """The ellipsoid out of line with the axes."""
    draws = torch.randn(
        x.shape[-1], x.shape[-1], generator=torch.Generator().manual_seed(0), dtype=x.dtype
    )
    return ellipsoid(x @ torch.linalg.qr(draws).Q)


def rosenbrock(x: Tensor) -> Tensor:
    return (100 * (x[..., 1:] - x[..., :-1].square()).square() + (1 - x[..., :-1]).square()).sum(-1)


def minimised(function: Function, length: int, **options) -> Analytic:
    """`function` to be minimised from standard normal starts, in float64."""
    return Analytic(
        lambda genome, rows: -function(genome),
        lambda rows: rows.normal(length).double(),
        differentiable=False,
        **options,
    )


def full(generations: int = 100, **options) -> CmaEs:
    return CmaEs(generations, **{"sigma": 0.5, "covariance": "full", **options})


def diagonal(generations: int = 100, **options) -> CmaEs:
    return CmaEs(generations, **{"sigma": 0.5, "covariance": "diagonal", **options})


BOTH = pytest.mark.parametrize("strategy", [full, diagonal])


def searched(search: CmaEs, problem: Analytic, rows: Rows) -> tuple[list[StepReport], list[State]]:
    state, reports, states = search.init(problem, rows), [], []
    for step in range(search.steps):
        state, entry = search.step(problem, rows, state, step)
        reports.append(entry)
        states.append(state)
    return reports, states


# -- against DEAP


@pytest.mark.parametrize(("length", "population"), [(5, 8), (12, 10), (6, 30)])
def test_updates_are_deaps(length: int, population: int) -> None:
    """The same samples and scores for many generations, DEAP with the tutorial's learning rates."""
    search, rows, problem = (
        full(population=population),
        rows_of(1, length),
        minimised(turned, length),
    )
    rate = rates(length, population, diagonal=False)
    state = search.init(problem, rows)
    theirs = deaps.Strategy(
        state["mean"][0].numpy(),
        search.sigma,
        lambda_=population,
        cs=rate.step,
        damps=rate.damping,
        ccum=rate.path,
        ccov1=rate.rank_one,
        ccovmu=rate.rank_mu,
    )
    assert theirs.mueff == pytest.approx(rate.effective)
    np.testing.assert_allclose(theirs.weights, rate.weights)
    assert theirs.chiN == pytest.approx(rate.expected)
    for step in range(80):
        samples = search.ask(state, rows.fold_in(step))
        fitness = -turned(samples)
        state = search.tell(state, samples, fitness)
        population_of = [
            Scored(*pair) for pair in zip(samples[0].numpy(), fitness[0].tolist(), strict=True)
        ]
        theirs.update(population_of)
        for ours, other in (
            ("mean", theirs.centroid),
            ("covariance", theirs.C),
            ("path", theirs.pc),
            ("path_sigma", theirs.ps),
            ("sigma", theirs.sigma),
            ("lengths", theirs.diagD),
        ):
            np.testing.assert_allclose(
                state[ours][0].numpy(), other, rtol=1e-6, atol=1e-6 * np.abs(other).max()
            )
    assert theirs.sigma < 0.4  # it went somewhere


class Scored(np.ndarray):
    """A vector with a fitness, as DEAP's strategy wants its individuals."""

    def __new__(cls, genome: np.ndarray, fitness: float) -> Scored:
        entry = genome.view(cls)
        entry.fitness = Individual(torch.zeros(1), fitness).fitness
        return entry


def test_the_basis_is_of_the_covariance() -> None:
    _, states = searched(full(30), minimised(turned, 7), rows_of(3))
    for state in states[::10]:
        basis, lengths = state["basis"], state["lengths"]
        again = basis @ torch.diag_embed(lengths.square()) @ basis.mT
        torch.testing.assert_close(again, state["covariance"], rtol=1e-9, atol=1e-12)
        assert torch.equal(state["covariance"], state["covariance"].mT)


def test_a_long_genome_is_decomposed_now_and_then() -> None:
    search, problem, rows = full(12), minimised(sphere, 400), rows_of(2)
    rate = rates(400, 21, diagonal=False)
    gap = int(1 / (10 * 400 * (rate.rank_one + rate.rank_mu)))
    assert gap > 2
    _, states = searched(search, problem, rows)
    renewed = [not torch.equal(entry["basis"], other["basis"]) for entry, other in pairwise(states)]
    assert [step for step, new in enumerate(renewed, 2) if new] == [
        step for step in range(2, 13) if step % gap == 0
    ]


# -- against the cma package


def spent(search: CmaEs, problem: Analytic, rows: Rows, target: float) -> list[int]:
    """Evaluations each item takes until it is better than -`target`."""
    state, counts = search.init(problem, rows), torch.zeros(len(rows), dtype=torch.int64)
    for step in range(search.steps):
        missing = state["score"] < -target
        if not bool(missing.any()):
            break
        state, report = search.step(problem, rows, state, step)
        counts += report.forwards * missing
    assert bool((state["score"] >= -target).all())
    return counts.tolist()


@pytest.mark.parametrize(
    ("strategy", "function", "length", "active"),
    [
        (full, sphere, 10, False),
        (full, turned, 6, False),
        (full, turned, 6, True),
        (full, rosenbrock, 3, False),
        (diagonal, ellipsoid, 10, False),
        (diagonal, ellipsoid, 10, True),
    ],
)
def test_it_takes_as_many_evaluations_as_the_cma_package(
    strategy: Callable[..., CmaEs], function: Function, length: int, active: bool
) -> None:
    package = pytest.importorskip("cma")
    target, theirs = 1e-6, []
    ours = spent(
        strategy(3000, active=active), minimised(function, length), rows_of(7, "count"), target
    )
    for seed in range(1, 4):
        start = np.random.default_rng(seed).standard_normal(length)
        options = {
            "seed": seed,
            "verbose": -9,
            "ftarget": target,
            "CMA_active": active,
            "maxfevals": 60_000,
        }
        other = package.CMAEvolutionStrategy(
            start, 0.5, {**options, "CMA_diagonal": strategy is diagonal}
        )
        other.optimize(lambda x: float(function(torch.from_numpy(np.asarray(x)))))
        theirs.append(other.result.evaluations)
    assert 0.67 < np.median(ours) / np.median(theirs) < 1.5


def test_a_diagonal_is_faster_where_that_is_enough_and_not_elsewhere() -> None:
    rows = rows_of(3)
    straight = np.median(spent(diagonal(3000), minimised(ellipsoid, 12), rows, 1e-6))
    assert straight < 0.6 * np.median(spent(full(3000), minimised(ellipsoid, 12), rows, 1e-6))
    reports, _ = searched(diagonal(600), minimised(turned, 12), rows)
    assert float(reports[-1].score.max()) < -1e-6


def test_the_axes_come_out_as_long_as_the_valley_is_wide() -> None:
    """At convergence the covariance is the inverse Hessian but for a factor."""
    for strategy in (full, diagonal):
        _, states = searched(strategy(350), minimised(ellipsoid, 6), rows_of(3))
        variances = states[-1]["covariance"]
        variances = variances if strategy is diagonal else variances.diagonal(dim1=1, dim2=2)
        flat = (variances * torch.logspace(0, 6, 6, dtype=torch.float64)).log()
        assert float((flat - flat.mean(1, keepdim=True)).abs().max()) < math.log(8)  # of a million


# -- what every strategy owes


@BOTH
def test_what_a_step_says_is_what_was_found(strategy: Callable[..., CmaEs]) -> None:
    problem, rows, search = minimised(sphere, 6), rows_of(3), strategy(20, population=9)
    reports, states = searched(search, problem, rows)
    scores = torch.stack([entry.score for entry in reports])
    assert (scores.diff(dim=0) >= 0).all()
    assert (scores[-1] > scores[0]).all()
    for entry, state in zip(reports, states, strict=True):
        torch.testing.assert_close(entry.score, -sphere(entry.genome))
        assert torch.equal(entry.monitor, entry.score)
        assert entry.forwards.tolist() == [9, 9, 9]
        assert entry.backwards.tolist() == [0, 0, 0]
        assert torch.equal(entry.statistics["sigma"], state["sigma"])
        assert (entry.statistics["max"] <= entry.score).all()
        assert (entry.statistics["mean"] <= entry.statistics["max"]).all()
        assert (entry.statistics["axis_ratio"] >= 1).all()
    assert problem.calls == [(27, False)] * 20
    assert search.passes(stochastic=False) == 9
    assert search.passes(True, 3) == 10


def test_the_population_grows_with_the_genome() -> None:
    for length, size in ((2, 6), (10, 10), (768, 23)):
        search = diagonal()
        search.init(minimised(sphere, length), rows_of(1))
        assert search.passes(stochastic=False) == size == 4 + math.floor(3 * math.log(length))


@BOTH
@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("length", [5, 33])
def test_items_are_as_alone_and_may_leave(
    strategy: Callable[..., CmaEs], active: bool, length: int
) -> None:
    search, problem, rows = strategy(12, active=active), minimised(sphere, length), rows_of(4)
    whole, _ = searched(search, problem, rows)
    part = torch.tensor([2])
    alone, _ = searched(search, problem, rows.select(part))
    for together, single in zip(whole, alone, strict=True):
        assert torch.equal(together.genome[part], single.genome)
        assert torch.equal(together.statistics["sigma"][part], single.statistics["sigma"])
    state, staying = search.init(problem, rows), torch.arange(4)
    for step in range(12):
        state, report = search.step(problem, rows.select(staying), state, step)
        assert torch.equal(report.genome, whole[step].genome[staying])
        if step == 4:  # through a file, as a checkpoint has it: every tensor laid out anew
            state = {
                name: value[torch.tensor([1, 3])].clone(memory_format=torch.contiguous_format)
                for name, value in state.items()
            }
            staying = torch.tensor([1, 3])


@BOTH
@pytest.mark.parametrize("active", [False, True])
def test_what_is_not_a_number_never_wins_and_is_counted(
    strategy: Callable[..., CmaEs], active: bool
) -> None:
    def score(genome: Tensor, rows: Rows) -> Tensor:
        value = genome[:, 0].clone()
        value[genome[:, 0] > 0] = torch.nan
        value[genome[:, 0] > 1] = torch.inf  # better than anything, were it a fitness
        return value.where(genome[:, 0] >= -2, -torch.inf)

    problem = Analytic(score, lambda rows: -0.5 + 0.1 * rows.normal(3), differentiable=False)
    reports, states = searched(strategy(60, population=12, active=active), problem, rows_of(3))
    assert sum(int(entry.statistics["invalid"].sum()) for entry in reports) > 20
    for entry, state in zip(reports, states, strict=True):
        assert bool(entry.score.isfinite().all())
        assert bool((entry.genome[:, 0] <= 0).all())
        assert all(bool(value.double().isfinite().all()) for value in state.values())
    assert bool((reports[-1].score > -0.05).all())


@BOTH
@pytest.mark.parametrize("active", [False, True])
def test_all_invalid_is_survived_and_moves_nothing(
    strategy: Callable[..., CmaEs], active: bool
) -> None:
    problem = Analytic(
        lambda g, rows: torch.full((len(g),), torch.nan), lambda rows: rows.normal(4)
    )
    search, rows = strategy(3, population=6, active=active), rows_of(2)
    reports, states = searched(search, problem, rows)
    before = search.init(problem, rows)
    for name in ("mean", "sigma", "path", "path_sigma", "covariance", "genome"):
        assert torch.equal(states[-1][name], before[name])
    assert reports[-1].statistics["invalid"].tolist() == [6, 6]
    assert reports[-1].statistics["mean"].tolist() == [0.0, 0.0]


@BOTH
@pytest.mark.parametrize("corner", [0.9, 1.4])
def test_an_optimum_at_or_near_the_wall_is_found(
    strategy: Callable[..., CmaEs], corner: float
) -> None:
    """A genome is evaluated where it is legal, and the mean stays there."""
    problem = minimised(lambda x: (x - corner).square().sum(-1), 8, box=(-1.0, 1.0))
    reports, states = searched(strategy(250), problem, rows_of(4))
    assert all(float(state["mean"].abs().max()) <= 1 + 1e-6 for state in states)
    assert all(float(entry.genome.abs().max()) <= 1 for entry in reports)
    torch.testing.assert_close(
        reports[-1].genome, torch.full_like(reports[-1].genome, min(corner, 1.0)), atol=2e-3, rtol=0
    )


@BOTH
def test_where_scores_are_noisy_the_mean_speaks_for_itself(
    strategy: Callable[..., CmaEs],
) -> None:
    noisy = Analytic(
        lambda g, rows: -sphere(g) + 2 * rows.normal(1)[:, 0],
        lambda rows: 3 + rows.normal(5),
        stochastic=True,
    )
    rows, search = rows_of(6), strategy(80, population=20)
    reports, states = searched(search, noisy, rows)
    assert reports[0].forwards.tolist() == [21] * 6
    assert noisy.calls == [(126, False)] * 80
    for entry, state in zip(reports[1:], states, strict=False):
        torch.testing.assert_close(entry.genome, state["mean"].float())
    late = torch.stack([entry.score for entry in reports[-30:]])
    honest = torch.stack([-sphere(entry.genome) for entry in reports[-30:]])
    assert abs(float((late - honest).mean())) < 6 * 2 / late.numel() ** 0.5
    assert float(honest.mean()) > -4 > float(-sphere(noisy.start(rows)).mean())


@BOTH
def test_the_step_is_bounded_whatever_the_scores(strategy: Callable[..., CmaEs]) -> None:
    """A plane without end, and a plain without a slope."""
    for score in (lambda g, rows: g.sum(1), lambda g, rows: torch.zeros(len(g))):
        problem = Analytic(score, lambda rows: rows.normal(4), differentiable=False)
        reports, states = searched(strategy(250), problem, rows_of(2))
        assert bool(reports[-1].genome.isfinite().all())
        assert all(bool(value.double().isfinite().all()) for value in states[-1].values())


def test_a_genome_of_any_shape_and_a_given_start() -> None:
    problem = Analytic(
        lambda g, rows: -(g - 0.5).square().sum((1, 2, 3)), lambda rows: rows.normal(2, 3, 4)
    )
    rows, initial = rows_of(2), torch.full((2, 2, 3, 4), 0.25)
    for strategy in (full, diagonal):
        search = strategy(60)
        assert torch.equal(search.init(problem, rows, initial)["mean"], initial.flatten(1).double())
        reports, _ = searched(search, problem, rows)
        assert reports[-1].genome.shape == (2, 2, 3, 4)
        assert reports[-1].genome.dtype == torch.float32
        assert float(reports[-1].score.min()) > -1


def test_the_smallest_populations() -> None:
    for population in (2, 3):
        for active in (False, True):
            reports, _ = searched(
                full(150, population=population, active=active), minimised(sphere, 3), rows_of(4)
            )
            assert float(reports[-1].score.median()) > -1e-3
    reports, _ = searched(diagonal(200), minimised(sphere, 1), rows_of(3))  # a genome of one number
    assert float(reports[-1].score.min()) > -1e-6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: full(0), r"search\.generations=0: write 1 or more"),
        (
            lambda: full(population=1),
            r"search\.population=1: half of it are parents; write 2 or more",
        ),
        (lambda: full(sigma=0.0), r"search\.sigma=0\.0"),
        (lambda: full(sigma=math.inf), r"sigma=inf: write a finite number"),
        (
            lambda: full(covariance="diagnal"),
            r"search\.covariance=diagnal: no such covariance\. Did you mean diagonal",
        ),
        (
            lambda: full().init(minimised(sphere, 2001), rows_of(1)),
            r"2001 numbers.*Write search\.covariance=diagonal",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        wrong()
