"""Minimal adversarial perturbations: ascent on a sphere whose radius adapts to success.

Gradients near a decision boundary change direction quickly; a direction accumulated over many
steps is a better descent direction than any single gradient.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from synth.core import Genome, PerRow, Problem, Rows, Search, State, StepReport
from synth.errors import InputError
from synth.searches import _norms


class MinimalNorm(Search):
    """The perturbation of smallest norm with a score above 0: direction and norm move separately.

    With the score s and its gradient g at the start + d, and rates that fall as cosines from `rate`
    to `rate_end` and from `shrink` to a thousandth over the steps, first the radius e moves:

        while no score above 0 was found:  e = |d| + |s| / |g|*   (enough for a linear score),
                                           and at least (1 + shrink) e
        where the score is above 0:        e = min((1 - shrink) e, the smallest norm found)
        else:                              e = (1 + shrink) e

    (|.|* is the dual norm) and then the direction: d = d + rate e u, rescaled to norm e. In L2 u is
    g / ||g||_2. In L-infinity u is sign(g), the previous d is rescaled to norm e before the step,
    and each number of d is clipped to +- e after it.

    Where an item has several scores (`Alternatives`), s is the highest, and g the gradient of the
    soft maximum t log sum_j exp(s_j / t), t falling from `temperature` to a hundredth of it: the
    likeliest alternatives are followed together until one leads, which finds nearer boundaries than
    following the leader of each step. The result is the genome of the smallest perturbation whose
    score was above 0; until there is one, the genome of the step. Perturbations are measured from
    the genome that the search starts from.

    Sources: separate direction and norm, Rony et al. 2019 (DDN); the radius, Pintor et al. 2021
    (FMN). Departures: steps are shares of the radius, not of a fixed length; the soft maximum;
    projection applies to the evaluated genome, not to d, so that changes below one 8-bit level can
    accumulate. No random numbers.

    Args:
        steps: how many steps.
        norm: ``l2`` or ``linf``.
        rate: length of the first step, as a share of the radius.
        rate_end: length of the last step, at most `rate`.
        shrink: relative change of the radius in the first step, in (0, 1).
        temperature: the first temperature of the soft maximum, in units of the score.

    Raises:
        InputError: for numbers out of range or an unknown norm.
    """

    gradient = True
    alternatives = True
    precise = True

    def __init__(
        self,
        steps: int = 40,
        norm: str = "l2",
        rate: float = 1.0,
        rate_end: float = 0.01,
        shrink: float = 0.2,
        temperature: float = 1.0,
    ) -> None:
        _norms.check(norm, "minimal_norm")
        if steps < 1:
            raise InputError(f"search.steps={steps}: write 1 or more.")
        if not 0 < rate_end <= rate:
            raise InputError(
                f"search.rate={rate}, rate_end={rate_end}: write rates above 0, the first not the "
                "smaller."
            )
        if not 0 < shrink < 1:
            raise InputError(
                f"search.shrink={shrink}: write a share of the radius in (0, 1), 0.2 say."
            )
        if temperature <= 0:
            raise InputError(
                f"search.temperature={temperature}: write a number above 0, in units of the score."
            )
        self.steps = steps
        self.norm = norm
        self.rate = rate
        self.rate_end = rate_end
        self.shrink = shrink
        self.temperature = temperature

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        _norms.check(self.norm, "minimal_norm", problem)
        genome = problem.start(rows) if genome is None else genome
        zeros = genome.new_zeros(len(rows))
        return {
            "start": genome,
            "change": torch.zeros_like(genome),
            "best": genome,
            "length": zeros + torch.inf,
            "score": zeros - torch.inf,
            "monitor": zeros,
        }

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 3

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        genome = problem.project(state["start"] + state["change"], rows)
        temperature = self._cosine(self.temperature, 0.01 * self.temperature, step)
        evaluation = problem.evaluate(
            genome,
            rows.fold_in(step) if problem.stochastic else rows,
            partial(_soft_maximum, temperature),
        )
        assert evaluation.gradient is not None
        direction, slope = _norms.steepest(evaluation.gradient[0], self.norm)
        score, column = evaluation.scores.max(1)
        best = self._improved(state, genome, score, evaluation.monitor)
        radius = self._radius(state, best, score, slope, step)
        change = self._moved(state["change"], direction, radius, step)
        passes = torch.ones_like(rows.item)
        return {"start": state["start"], "change": change, **best}, StepReport(
            genome=best["best"],
            score=best["score"],
            monitor=best["monitor"],
            forwards=passes * evaluation.forwards,
            backwards=passes * evaluation.backwards,
            terms=_norms.of_column(evaluation.terms, column),
        )

    def _improved(self, state: State, genome: Genome, score: PerRow, monitor: PerRow) -> State:
        """The best genome so far with its norm, score and monitor.

        Until one has had a score above 0, the best genome is that of the step.
        """
        length = _norms.lengths(genome - state["start"], self.norm)
        smaller = (score > _norms.BEYOND) & (length < state["length"])
        better = smaller | ~state["length"].isfinite()
        return {
            "best": torch.where(_norms.across(better, genome), genome, state["best"]),
            "length": torch.where(smaller, length, state["length"]),
            "score": torch.where(better, score, state["score"]),
            "monitor": torch.where(better, monitor, state["monitor"]),
        }

    def _radius(self, state: State, best: State, score: Tensor, slope: Tensor, step: int) -> Tensor:
        """The radius [r] of the next perturbation; `slope` [r] is the dual norm of the gradient."""
        rate = self._cosine(self.shrink, 1e-3, step)
        before = _norms.lengths(state["change"], self.norm)
        grown = before * (1 + rate)
        linear = before + (2 * _norms.BEYOND - score).abs() / slope
        return torch.where(
            score > _norms.BEYOND,
            torch.minimum(before * (1 - rate), best["length"]),
            torch.where(state["length"].isfinite(), grown, torch.maximum(grown, linear)),
        )

    def _moved(self, change: Tensor, direction: Tensor, radius: Tensor, step: int) -> Tensor:
        """The next perturbation, of norm `radius` [r]."""
        rate = self._cosine(self.rate, self.rate_end, step)
        if self.norm == "linf":
            before = _norms.lengths(change, self.norm)
            scaled = change * _norms.across(radius / before.clamp_min(_norms.TINY), change)
            bound = _norms.across(radius, change)
            return torch.minimum(torch.maximum(scaled + rate * bound * direction, -bound), bound)
        moved = change + rate * _norms.across(radius, change) * direction
        length = _norms.lengths(moved, self.norm).clamp_min(_norms.TINY)
        return moved * _norms.across(radius / length, change)

    def _cosine(self, first: float, last: float, step: int) -> float:
        """A number that falls from `first` to `last` over the steps, along half a cosine."""
        return last + (first - last) * (1 + math.cos(math.pi * min(step / self.steps, 1.0))) / 2


def _soft_maximum(temperature: float, scores: Tensor) -> Tensor:
    """The gradient of the soft maximum with respect to the scores: [1, r, k] from [r, k]."""
    return (scores / temperature).softmax(1)[None]
