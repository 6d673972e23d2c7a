"""The fast gradient method: a single step along the gradient at the clean image."""

from __future__ import annotations

import math

import torch

from synth.core import Genome, Problem, Rows, Search, State, StepReport, ones
from synth.errors import InputError, nearest
from synth.searches import _norms
from synth.searches._checks import check_differentiable

RULES = {"sign": "linf", "unit": "l2"}  # the norm in which the step has its length


class FastGradient(Search):
    """One step of length `rate` along the gradient at the start, which is then evaluated.

    ``sign`` is x + rate sign(g), the fast gradient sign method (FGSM; Goodfellow et al. 2015,
    section 4), whose `rate` is the radius of an L-infinity ball; ``unit`` is x + rate g / |g|_2,
    the same in the L2 norm. The result is projected and reported with its own score, which takes
    two forward passes and a backward pass an item. The paper adds the gradient of the loss of the
    true class; here the score of the objective is ascended, so a targeted attack is the paper's
    with the opposite sign.

    `steps` is 1. A budget that allows more takes more, each from where the last one arrived.

    Args:
        rate: length of the step, in units of the pixels' range [0, 1] for a pixel genome.
        rule: ``sign`` or ``unit``.

    Raises:
        InputError: for an unknown rule or a length that is not above 0.
    """

    gradient = True
    steps = 1

    def __init__(self, rate: float = 2 / 255, rule: str = "sign") -> None:
        if rule not in RULES:
            raise InputError(
                f"search.rule={rule}: no such rule.{nearest(rule, RULES) or ' Write sign or unit.'}"
            )
        if not (rate > 0 and math.isfinite(rate)):
            raise InputError(f"search.rate={rate}: write a length above 0.")
        self.rate = rate
        self.rule = rule

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        check_differentiable(problem, "fast_gradient")
        return {"genome": problem.start(rows) if genome is None else genome}

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 4  # two forwards and a backward, which counts 2

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        rows = rows.fold_in(step) if problem.stochastic else rows
        genome = state["genome"]
        before = problem.evaluate(genome, rows, ones)
        assert before.gradient is not None
        direction, _ = _norms.steepest(before.gradient[0], RULES[self.rule])
        genome = problem.project(torch.add(genome, direction, alpha=self.rate), rows)
        after = problem.evaluate(genome, rows)
        passes = torch.ones(len(rows), dtype=torch.int64, device=genome.device)
        return {"genome": genome}, StepReport(
            genome=genome,
            score=after.scores[:, 0],
            monitor=after.monitor,
            forwards=passes * (before.forwards + after.forwards),
            backwards=passes * before.backwards,
            terms={name: value[:, 0] for name, value in after.terms.items()},
        )
