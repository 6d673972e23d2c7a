"""Gradient ascent on the genome: SGD, Adam, normalised, unit and sign steps, with regularisers between them.

Every formula is a row's own: rows that finish leave, and those that stay move as they would have alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport, ones
from synth.errors import InputError, nearest
from synth.searches.regularisers import Regularisers

RULES = ("sgd", "adam", "nadam", "normalised", "unit", "sign")
ADAPTIVE = ("adam", "nadam")
RESCUE = 16  # steps in which a row without any gradient is helped along
NOISE = 1 << 20  # the stream of the noise; below it are those of the steps


class Gradient(Search):
    """`steps` of ascent at `rate`, by one of six rules.

    ``sgd``: the gradient times `rate`, with `momentum` (Polyak). ``adam``: Kingma & Ba 2015, betas `momentum`
    and `momentum2`. ``nadam``: the same looking one step ahead (Dozat 2016, with a constant momentum).
    ``normalised``: the gradient divided by its mean absolute value, as
    DeepDream does (google/deepdream, ``dream.ipynb``). ``unit``: the gradient divided by its L2 norm, which in an L2
    ball is projected gradient. ``sign``: its sign (Goodfellow et al. 2015), which in an
    L-infinity ball is projected gradient with momentum 0 (Madry et al. 2018) and the momentum iterative method
    with more (Dong et al. 2018). `rate_end` lets the rate fall in a line to
    that value at the last step. `noise` is the deviation of normal numbers that each step adds: with ``sign`` the
    Langevin search of Arpit et al. 2017.

    A unit that is silent has no gradient. Where there is none at all in the first steps, a row hops at random, further
    each time, until there is one (lucid lets gradients through dead ReLUs instead, for as many steps).
    """

    gradient = True

    def __init__(
        self,
        steps: int = 256,
        rule: str = "adam",
        rate: float = 0.05,
        rate_end: float | None = None,
        momentum: float = 0.9,
        momentum2: float = 0.999,
        noise: float = 0.0,
        regularisers: Regularisers | None = None,
    ) -> None:
        if rule not in RULES:
            raise InputError(
                f"search.rule={rule}: no such rule.{nearest(rule, RULES) or f' Write one of {RULES}.'}"
            )
        if steps < 1:
            raise InputError(f"search.steps={steps}: write 1 or more.")
        if rate <= 0:
            raise InputError(f"search.rate={rate}: write a rate above 0.")
        if rate_end is not None and rate_end < 0:
            raise InputError(
                f"search.rate_end={rate_end}: write a rate of 0 or more, or null for a constant one."
            )
        if not (0 <= momentum < 1 and 0 <= momentum2 < 1):
            raise InputError(
                f"search.momentum={momentum}, momentum2={momentum2}: write shares in [0, 1)."
            )
        if noise < 0:
            raise InputError(f"search.noise={noise}: a standard deviation is at least 0.")
        self.steps, self.rule, self.rate, self.rate_end = steps, rule, rate, rate_end
        self.momentum, self.momentum2, self.noise = momentum, momentum2, noise
        self.regularisers = regularisers or Regularisers()

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        if not problem.differentiable:
            raise InputError(
                "search=gradient: this encoding has no gradient; use search=genetic, or another encoding."
            )
        genome = problem.start(rows) if genome is None else genome
        state = {"genome": genome}
        if self.rule in ADAPTIVE or self.momentum:
            state["first"] = torch.zeros_like(genome)
        if self.rule in ADAPTIVE:
            state["second"] = torch.zeros_like(genome)
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 3  # forwards count 1 and backwards 2

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        genome = state["genome"]
        found = problem.evaluate(genome, rows.fold_in(step) if problem.stochastic else rows, ones)
        assert found.gradient is not None
        gradient = found.gradient[0]
        state = dict(state)
        moved = self._moved(genome, gradient, state, step)
        if step < RESCUE:
            hop = self._rate(step) * (step + 1) ** 0.5
            moved = _woken(moved, genome, gradient, rows.fold_in(NOISE + 1).fold_in(step), hop)
        if self.noise:
            moved = torch.add(
                moved, rows.fold_in(NOISE).fold_in(step).normal(*genome.shape[1:]), alpha=self.noise
            )
        if self.regularisers.active:
            moved = self.regularisers(moved, gradient, problem.baseline(rows), step)
        state["genome"] = problem.project(moved, rows)
        spent = torch.ones(len(rows), dtype=torch.int64, device=genome.device)
        return state, StepReport(
            genome=genome,
            score=found.scores[:, 0],
            monitor=found.monitor,
            forwards=spent * found.forwards,
            backwards=spent * found.backwards,
            terms={name: value[:, 0] for name, value in found.terms.items()},
        )

    def _rate(self, step: int) -> float:
        if self.rate_end is None or self.steps == 1:
            return self.rate
        return self.rate + (self.rate_end - self.rate) * min(step / (self.steps - 1), 1.0)

    def _moved(self, genome: Genome, gradient: Tensor, state: State, step: int) -> Genome:
        """The genome a step further; writes into the moments in `state`, and never into a genome."""
        rate = self._rate(step)
        if self.rule in ADAPTIVE:
            first = state["first"].lerp_(gradient, 1 - self.momentum)
            second = (
                state["second"]
                .mul_(self.momentum2)
                .addcmul_(gradient, gradient, value=1 - self.momentum2)
            )
            # both bias corrections in one number, as Kingma & Ba note at the end of their section 2; all rows
            # began at step 0, since those that are done leave and none ever joins
            count = step + 1
            correction = math.sqrt(1 - self.momentum2**count) / (1 - self.momentum**count)
            if (
                self.rule == "nadam"
            ):  # a step of momentum ahead: each part with the correction of its own step
                ahead = (
                    self.momentum * (1 - self.momentum**count) / (1 - self.momentum ** (count + 1))
                )
                first = (first * ahead).add_(gradient, alpha=1 - self.momentum)
            return torch.addcdiv(genome, first, second.sqrt().add_(1e-8), value=rate * correction)
        if self.rule == "normalised":
            gradient = gradient / (
                gradient.abs().flatten(1).mean(1).view(-1, *[1] * (gradient.ndim - 1)) + 1e-12
            )
        if self.rule == "unit":
            gradient = gradient / (
                gradient.flatten(1).norm(dim=1).view(-1, *[1] * (gradient.ndim - 1)) + 1e-12
            )
        if self.momentum:
            gradient = state["first"].mul_(self.momentum).add_(gradient)
        return torch.add(genome, gradient.sign() if self.rule == "sign" else gradient, alpha=rate)


def _woken(moved: Genome, genome: Genome, gradient: Tensor, rows: Rows, length: float) -> Genome:
    """`moved`, but the rows where all of the gradient is zero hop from `genome` by `length` times normal numbers."""
    dead = gradient.flatten(1).abs().amax(1) == 0
    if not bool(dead.any()):
        return moved
    moved = moved.clone()
    moved[dead] = genome[dead] + length * rows.select(dead).normal(*genome.shape[1:])
    return moved
