"""The smallest change with a score above 0: ascent on a sphere whose radius shrinks where it succeeds, and grows back.

Gradients close to a boundary turn quickly; a direction that is gathered over many steps points further than any one.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError
from synth.searches import _norms


class MinimalNorm(Search):
    """`steps` of direction and length apart, in the `norm` ``l2`` or ``linf``; a radius of its own for each row.

    With the score s and its gradient g at the start + d, and cosines that fall from `rate` to `rate_end` and from
    `shrink` to a thousandth over the steps, first the radius e moves:

        while no score above 0 was found:  e = |d| + |s| / |g|*      as far as a linear score needs to be above 0,
                                           and at least (1 + shrink) e
        where the score is above 0:        e = min((1 - shrink) e, the smallest length found)
        else:                              e = (1 + shrink) e

    (|.|* is the dual norm) and then the direction: d = d + rate e u, drawn back to length e; u is the steepest change
    of length 1, g / ||g||_2, or sign(g) with the d before it scaled along and each number of d cut at +- e in
    L-infinity. Where an item has several scores (`Alternatives`), s is the highest, and g that of t log sum_j exp(s_j / t), t
    falling from the `temperature` to a hundredth of it: the likeliest rivals pull together until one leads, which
    finds nearer boundaries than the leader of each moment does. The result is the genome with the smallest change that
    had a score above 0; until there is one, the genome of the step. A change is counted from the genome the search set
    out from.

    Sources: direction and norm apart, Rony et al. 2019 (DDN); the radius, Pintor et al. 2021 (FMN). Departures: steps
    are shares of the radius, not of a fixed length; the soft maximum; what the encoding forbids is cut
    off what is looked at and measured, not off d, so that changes below one level of a file can gather. No random
    numbers.
    """

    gradient = True
    alternatives = True

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
                f"search.rate={rate}, rate_end={rate_end}: write rates above 0, the first not the smaller."
            )
        if not 0 < shrink < 1:
            raise InputError(
                f"search.shrink={shrink}: write a share of the radius in (0, 1), 0.2 say."
            )
        if temperature <= 0:
            raise InputError(
                f"search.temperature={temperature}: write a number above 0, in units of the score."
            )
        self.steps, self.norm, self.rate, self.rate_end = steps, norm, rate, rate_end
        self.shrink, self.temperature = shrink, temperature

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        _norms.check(self.norm, "minimal_norm", problem)
        genome = problem.start(rows) if genome is None else genome
        nothing = genome.new_zeros(len(rows))
        return {
            "start": genome, "change": torch.zeros_like(genome),
            "best": genome, "length": nothing + torch.inf, "score": nothing - torch.inf, "monitor": nothing,
        }  # fmt: skip

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 3

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        start, change = state["start"], state["change"]
        genome = problem.project(start + change, rows)
        cotangents = partial(_soft, self._cosine(self.temperature, 0.01 * self.temperature, step))
        found = problem.evaluate(
            genome, rows.fold_in(step) if problem.stochastic else rows, cotangents
        )
        assert found.gradient is not None
        score, column = found.scores.max(1)
        length = _norms.lengths(genome - start, self.norm)
        success = score > _norms.BEYOND
        smaller = success & (length < state["length"])
        known = state["length"].isfinite()
        kept = smaller | ~known  # until there is a success, the genome of the step is what is shown
        state = {
            "start": start,
            "best": torch.where(_norms.across(kept, genome), genome, state["best"]),
            "length": torch.where(smaller, length, state["length"]),
            "score": torch.where(kept, score, state["score"]),
            "monitor": torch.where(kept, found.monitor, state["monitor"]),
        }
        way, promise = _norms.steepest(found.gradient[0], self.norm)
        along = self._cosine(self.shrink, 1e-3, step)
        before = _norms.lengths(change, self.norm)
        longer = before * (1 + along)
        radius = torch.where(
            success,
            torch.minimum(before * (1 - along), state["length"]),
            torch.where(
                known,
                longer,
                torch.maximum(longer, before + (2 * _norms.BEYOND - score).abs() / promise),
            ),
        )
        state["change"] = self._moved(
            change, way, before, radius, self._cosine(self.rate, self.rate_end, step)
        )
        spent = torch.ones_like(rows.item)
        return state, StepReport(
            genome=state["best"],
            score=state["score"],
            monitor=state["monitor"],
            forwards=spent * found.forwards,
            backwards=spent * found.backwards,
            terms=_norms.of_column(found.terms, column),
        )

    def _moved(
        self, change: Tensor, way: Tensor, before: Tensor, radius: Tensor, rate: float
    ) -> Tensor:
        if self.norm == "linf":
            scaled = change * _norms.across(radius / before.clamp_min(_norms.TINY), change)
            edge = _norms.across(radius, change)
            return torch.minimum(torch.maximum(scaled + rate * edge * way, -edge), edge)
        moved = change + rate * _norms.across(radius, change) * way
        return moved * _norms.across(
            radius / _norms.lengths(moved, self.norm).clamp_min(_norms.TINY), change
        )

    def _cosine(self, first: float, last: float, step: int) -> float:
        return last + (first - last) * (1 + math.cos(math.pi * min(step / self.steps, 1.0))) / 2


def _soft(temperature: float, scores: Tensor) -> Tensor:
    """The gradient of the soft maximum by the scores: [1, r, k] from [r, k]."""
    return (scores / temperature).softmax(1)[None]
