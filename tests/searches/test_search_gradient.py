"""Gradient ascent, against torch.optim on each row alone and against the formulas of the papers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from small_worlds import Analytic, evolved, quadratics, rows_of
from torch import Tensor

from synth.core import Rows, State
from synth.errors import InputError
from synth.searches.gradient import RESCUE, RULES, Gradient
from synth.searches.regularisers import Regularisers

LENGTH, ITEMS, STEPS = 6, 3, 12


def climbed(
    search: Gradient, problem: Analytic, rows: Rows, steps: int = STEPS
) -> tuple[Tensor, State]:
    """Every genome as evaluated, [steps, r, length], and the last state."""
    state, output = search.init(problem, rows), []
    for step in range(steps):
        state, reports = search.step(problem, rows, state, step)
        output.append(reports.genome)
    return torch.stack(output), state


def by_torch(
    build: Callable[[list[Tensor]], torch.optim.Optimizer],
    matrix: Tensor,
    centre: Tensor,
    start: Tensor,
) -> Tensor:
    """The same quadratic descended by a torch optimizer, one row alone."""
    point = start.clone().requires_grad_()
    optimizer, output = build([point]), []
    for _ in range(STEPS):
        output.append(point.detach().clone())
        optimizer.zero_grad()
        loss = 0.5 * (point - centre) @ matrix @ (point - centre)
        loss.backward()
        optimizer.step()
    return torch.stack(output)


@pytest.mark.parametrize(
    ("search", "build"),
    [
        (Gradient(rule="sgd", rate=0.02, momentum=0.0), lambda p: torch.optim.SGD(p, 0.02)),
        (
            Gradient(rule="sgd", rate=0.02, momentum=0.9),
            lambda p: torch.optim.SGD(p, 0.02, momentum=0.9),
        ),
        (Gradient(rule="adam", rate=0.1), lambda p: torch.optim.Adam(p, 0.1)),
        (
            Gradient(20, "adam", 0.1, None, 0.0, 0.5),
            lambda p: torch.optim.Adam(p, 0.1, betas=(0.0, 0.5)),
        ),
        (
            Gradient(20, "adam", 0.3, None, 0.5, 0.9),
            lambda p: torch.optim.Adam(p, 0.3, betas=(0.5, 0.9)),
        ),
        # torch lets the momentum grow to its value; with so large a decay it has it at once
        (Gradient(rule="nadam", rate=0.1), lambda p: torch.optim.NAdam(p, 0.1, momentum_decay=1e9)),
        (
            Gradient(20, "nadam", 0.3, None, 0.5, 0.9),
            lambda p: torch.optim.NAdam(p, 0.3, (0.5, 0.9), 1e-8, 0, 1e9),
        ),
    ],
)
def test_sgd_adam_and_nadam_are_torchs_on_each_row_alone(search: Gradient, build) -> None:
    problem, matrices, centres = quadratics(ITEMS, LENGTH)
    rows = rows_of(ITEMS)
    output, _ = climbed(search, problem, rows)
    start = problem.start(rows)
    for item in range(ITEMS):
        expected = by_torch(build, matrices[item], centres[item], start[item])
        torch.testing.assert_close(output[:, item], expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("rule", ["sign", "normalised", "unit"])
def test_sign_normalised_and_unit_are_their_formulas(rule: str, momentum: float) -> None:
    problem, matrices, centres = quadratics(ITEMS, LENGTH)
    rows = rows_of(ITEMS)
    output, _ = climbed(Gradient(rule=rule, rate=0.05, momentum=momentum), problem, rows)
    for item in range(ITEMS):
        point, velocity = problem.start(rows)[item].double().numpy(), np.zeros(LENGTH)
        matrix, centre = matrices[item].double().numpy(), centres[item].double().numpy()
        for step in range(STEPS):
            np.testing.assert_allclose(output[step, item], point, atol=1e-4)
            gradient = -matrix @ (point - centre)
            if rule == "normalised":  # DeepDream: g / mean |g|
                gradient = gradient / np.abs(gradient).mean()
            if rule == "unit":
                gradient = gradient / np.sqrt((gradient**2).sum())
            velocity = momentum * velocity + gradient
            point = point + 0.05 * (np.sign(velocity) if rule == "sign" else velocity)


def test_the_rate_falls_in_a_line() -> None:
    slope = torch.ones(4)
    problem = Analytic(lambda genome, rows: genome @ slope, lambda rows: torch.zeros(len(rows), 4))
    output, state = climbed(
        Gradient(steps=5, rule="sgd", rate=1.0, rate_end=0.2, momentum=0.0), problem, rows_of(1), 5
    )
    moves = torch.cat([output, state["genome"][None]]).diff(dim=0)[:, 0, 0]
    np.testing.assert_allclose(moves, np.linspace(1.0, 0.2, 5), atol=1e-6)
    _, state = climbed(
        Gradient(steps=1, rule="sgd", rate=1.0, rate_end=0.2, momentum=0.0), problem, rows_of(1), 1
    )
    assert state["genome"][0, 0] == 1


@pytest.mark.parametrize("rule", RULES)
def test_rows_that_leave_do_not_move_those_that_stay(rule: str) -> None:
    problem, _, _ = quadratics(4, LENGTH, seed=1)
    search, rows = Gradient(rule=rule, rate=0.02), rows_of(4)
    whole, _ = climbed(search, problem, rows)
    state = search.init(problem, rows)
    staying, output = torch.arange(4), []
    for step in range(STEPS):
        state, reports = search.step(problem, rows.select(staying), state, step)
        output.append((staying, reports.genome))
        leaving = {3: [1], 7: [0, 3]}.get(step, [])
        saved = torch.tensor(
            [place for place, item in enumerate(staying.tolist()) if item not in leaving]
        )
        staying, state = staying[saved], {name: value[saved] for name, value in state.items()}
    for step, (items, genome) in enumerate(output):
        torch.testing.assert_close(genome, whole[step, items], atol=1e-6, rtol=1e-6)


def test_a_row_that_joins_late_has_its_own_step_count() -> None:
    """Adam's bias correction is per row: a state of an old and a new row moves each as alone."""
    problem, _, _ = quadratics(2, LENGTH, seed=2)
    search, rows = Gradient(rule="adam", rate=0.1), rows_of(2)
    _, old = climbed(search, problem, rows)
    fresh = search.init(problem, rows)
    mixed = {name: torch.stack([value[0], fresh[name][1]]) for name, value in old.items()}
    after, _ = search.step(problem, rows, mixed, STEPS)
    old_after, _ = search.step(problem, rows, old, STEPS)
    fresh_after, _ = search.step(problem, rows, fresh, STEPS)
    torch.testing.assert_close(after["genome"][0], old_after["genome"][0])
    torch.testing.assert_close(after["genome"][1], fresh_after["genome"][1])


def test_a_genome_once_given_away_is_never_written_into() -> None:
    problem, _, _ = quadratics(2, LENGTH)
    for rule in RULES:
        search, rows = Gradient(rule=rule), rows_of(2)
        state, initial = search.init(problem, rows), []
        for step in range(4):
            state, report = search.step(problem, rows, state, step)
            initial.append((report.genome, report.genome.clone()))
        assert all(torch.equal(genome, copy) for genome, copy in initial)
        assert not torch.equal(initial[0][0], initial[-1][0])


@pytest.mark.parametrize("rule", RULES)
def test_where_it_stays_flat_nothing_moves(rule: str) -> None:
    flat = Analytic(lambda genome, rows: genome.sum(1) * 0, lambda rows: rows.normal(LENGTH))
    search, rows = Gradient(rule=rule, rate=0.1), rows_of(2)
    state = search.init(flat, rows)
    after, _ = search.step(flat, rows, state, RESCUE)
    assert torch.equal(after["genome"], state["genome"])


def test_noise_is_normal_and_a_row_s_own() -> None:
    flat = Analytic(
        lambda genome, rows: genome.sum(1) * 1e-9, lambda rows: torch.zeros(len(rows), 3000)
    )
    search, rows = Gradient(rule="sgd", rate=0.1, noise=0.3), rows_of(3)
    output, state = climbed(search, flat, rows, 4)
    moves = torch.cat([output, state["genome"][None]]).diff(dim=0)
    assert stats.kstest(moves.flatten().numpy() / 0.3, "norm").pvalue > 0.01
    assert (
        np.abs(np.corrcoef(moves.flatten(0, 1).numpy()) - np.eye(12)).max() < 0.1
    )  # no step or row draws another's
    alone, _ = climbed(search, flat, rows.select(slice(1, 2)), 4)
    assert torch.equal(alone[:, 0], output[:, 1])


@pytest.mark.parametrize("rule", RULES)
def test_a_search_with_noise_goes_on_from_its_state_bit_for_bit(rule: str) -> None:
    problem, _, _ = quadratics(2, LENGTH)
    search, rows = Gradient(rule=rule, rate=0.05, noise=0.1), rows_of(2)
    whole, end = climbed(search, problem, rows, 8)
    _, saved = climbed(search, problem, rows, 5)
    saved, output = {name: value.clone() for name, value in saved.items()}, []
    for step in range(5, 8):
        saved, reports = Gradient(rule=rule, rate=0.05, noise=0.1).step(problem, rows, saved, step)
        output.append(reports.genome)
    assert torch.equal(torch.stack(output), whole[5:])
    assert all(torch.equal(saved[name], end[name]) for name in end)


def test_a_step_says_what_was_evaluated_and_spent() -> None:
    problem, matrices, centres = quadratics(3, LENGTH)
    search, rows = Gradient(rule="sgd", rate=0.01), rows_of(3)
    initial = rows.fold_in(9).normal(LENGTH)
    state = search.init(problem, rows, initial)
    assert torch.equal(state["genome"], initial)
    _, report = search.step(problem, rows, state, 0)
    assert torch.equal(report.genome, initial)
    difference = initial - centres
    torch.testing.assert_close(
        report.score, -0.5 * torch.einsum("ri,rij,rj->r", difference, matrices, difference)
    )
    assert torch.equal(report.monitor, report.score)
    assert torch.equal(report.terms["score"], report.score)
    assert report.forwards.tolist() == report.backwards.tolist() == [1, 1, 1]
    assert problem.calls == [(3, True)]


def test_moves_stay_inside_the_box() -> None:
    problem = Analytic(
        lambda genome, rows: genome.sum(1),
        lambda rows: torch.full((len(rows), 4), 0.5),
        box=(0.0, 1.0),
    )
    output, _ = climbed(Gradient(rule="sign", rate=0.2, momentum=0.0), problem, rows_of(1), 5)
    np.testing.assert_allclose(output[:, 0, 0], [0.5, 0.7, 0.9, 1.0, 1.0], atol=1e-6)


def test_each_step_of_a_stochastic_problem_draws_anew() -> None:
    problem = Analytic(
        lambda g, rows: g.sum(1) + rows.uniform(),
        lambda rows: torch.zeros(len(rows), 2),
        stochastic=True,
    )
    search, rows = Gradient(rule="sgd", rate=1e-9), rows_of(2)
    state, scores = search.init(problem, rows), []
    for step in range(4):
        state, report = search.step(problem, rows, state, step)
        scores += report.score.tolist()
    assert len(set(scores)) == 8


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "adm"},
        {"steps": 0},
        {"rate": 0.0},
        {"momentum": 1.0},
        {"momentum2": -0.1},
        {"momentum": -0.5},
        {"noise": -1.0},
    ],
)
def test_what_cannot_be_is_refused(options) -> None:
    with pytest.raises(InputError, match="search"):
        Gradient(**options)


def test_what_has_no_gradient_is_refused() -> None:
    blind = Analytic(
        lambda g, rows: g.sum(1), lambda rows: torch.zeros(len(rows), 2), differentiable=False
    )
    with pytest.raises(InputError, match="use search=genetic"):
        Gradient().init(blind, rows_of(1))


# -- regularisers, each alone

ORIGIN = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)


def pictures(count: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 10, 12, generator=torch.Generator().manual_seed(seed))


def test_decay_takes_a_share_of_the_way_to_the_origin() -> None:
    result = Regularisers(decay=0.25)(pictures(), pictures(), ORIGIN, 0)
    baseline = ORIGIN.numpy()
    np.testing.assert_allclose(result, baseline + 0.75 * (pictures().numpy() - baseline), atol=1e-6)


def test_blur_comes_every_so_many_steps() -> None:
    rule = Regularisers(blur_every=3, blur_sigma=0.8)
    difference = (pictures() - ORIGIN).double().numpy()
    blurred = (
        ndimage.gaussian_filter(difference, (0, 0, 0.8, 0.8), mode="mirror", radius=(0, 0, 3, 3))
        + ORIGIN.numpy()
    )
    for step in range(7):
        result = rule(pictures(), pictures(), ORIGIN, step).numpy()
        np.testing.assert_allclose(
            result, blurred if step in (2, 5) else pictures().numpy(), atol=1e-5
        )


def largest(norms: np.ndarray, percentage: float) -> np.ndarray:
    """Which of the places [h, w] are not among the smallest `percentage`."""
    order = np.argsort(norms.flatten())
    mask = np.ones(norms.size, dtype=bool)
    mask[order[: int(norms.size * percentage / 100)]] = False
    return mask.reshape(norms.shape)


@pytest.mark.parametrize("percentage", [0.5, 10.0, 33.3, 99.9])
def test_clipping_sets_the_smallest_pixels_to_the_origin(percentage: float) -> None:
    genome, gradient = pictures(), pictures(seed=1) - 0.5
    baseline = ORIGIN.numpy()[0]
    by_size = Regularisers(clip_pixels=percentage)(genome, gradient, ORIGIN, 0).numpy()
    by_slope = Regularisers(clip_gradients=percentage)(genome, gradient, ORIGIN, 0).numpy()
    for row in range(2):
        picture = genome[row].numpy()
        saved = largest(np.sqrt(((picture - baseline) ** 2).sum(0)), percentage)
        np.testing.assert_allclose(by_size[row], np.where(saved, picture, baseline), atol=1e-6)
        saved = largest(np.sqrt((gradient[row].numpy() ** 2).sum(0)), percentage)
        np.testing.assert_allclose(by_slope[row], np.where(saved, picture, baseline), atol=1e-6)


def test_regularisers_act_within_a_search() -> None:
    start = pictures(1)
    problem = Analytic(
        lambda g, rows: g.flatten(1).sum(1), lambda rows: start.clone(), baseline=ORIGIN
    )
    search = Gradient(rule="sgd", rate=0.1, momentum=0.0, regularisers=Regularisers(decay=0.5))
    _, state = climbed(search, problem, rows_of(1), 1)
    torch.testing.assert_close(state["genome"], ORIGIN + 0.5 * (start + 0.1 - ORIGIN))


def test_regularisers_that_are_off_do_nothing_and_those_that_cannot_be_are_refused() -> None:
    assert not Regularisers().active
    assert all(
        Regularisers(**entry).active
        for entry in (
            {"decay": 0.1},
            {"blur_every": 1},
            {"clip_pixels": 1.0},
            {"clip_gradients": 1.0},
        )
    )
    for spatial in ("blur_every", "clip_pixels", "clip_gradients", "clip_contributions"):
        with pytest.raises(InputError, match="they need a genome of pixels"):
            Regularisers(decay=0.1, **{spatial: 1})(
                torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(1, 1), 0
            )
    codes = torch.arange(10.0).view(2, 5)  # decay knows no pixels
    torch.testing.assert_close(
        Regularisers(decay=0.1)(codes, codes, torch.ones(1, 1), 0), 1 + 0.9 * (codes - 1)
    )
    with pytest.raises(InputError, match="this encoding defines no baseline, so decay"):
        Regularisers(decay=0.1)(pictures(), pictures(), None, 0)
    for wrong in (
        {"decay": 1.0},
        {"decay": -0.1},
        {"blur_every": -1},
        {"blur_sigma": 0.0},
        {"clip_pixels": 100.0},
        {"clip_gradients": -1.0},
    ):
        with pytest.raises(InputError, match=r"search\.regularisers"):
            Regularisers(**wrong)


def test_a_silent_unit_is_woken() -> None:
    """max(0, sum(x) + 3.8) from below: no gradient, until a random move has brought one."""
    silent = Analytic(
        lambda genome, rows: (genome.sum(1) + 3.8).relu(),
        lambda rows: -0.5 * torch.ones(len(rows), 8),
    )
    rows = rows_of(40, "silent")
    reports, _ = evolved(Gradient(40, "sgd", 0.1, momentum=0.0), silent, rows)
    assert bool((reports[0].score == 0).all())
    assert float((reports[-1].score > 0).float().mean()) > 0.7  # chance has it
    again, _ = evolved(Gradient(40, "sgd", 0.1, momentum=0.0), silent, rows)
    assert torch.equal(reports[-1].genome, again[-1].genome)
