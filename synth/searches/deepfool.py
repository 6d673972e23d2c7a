"""The shortest way over a boundary, taken for flat: step by step to the nearest of the linearised boundaries."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from synth.core import Evaluation, Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError
from synth.searches import _norms

TOGETHER = 64  # rows whose gradients are held at a time: there are `candidates` of each, as large as the genome


class DeepFool(Search):
    """DeepFool (Moosavi-Dezfooli et al. 2016) in the `norm` ``l2`` or ``linf``; `steps` at most.

    With scores s_j of the genome (`Alternatives`: z_j - z_y; of one column, a margin, that alone) and their gradients g_j,
    each step adds to the sum r the shortest change that takes the nearest of the boundaries s_j = 0 if the scores are
    linear. In L2 that is |s_j| / ||g_j||_2^2 g_j of the j whose |s_j| / ||g_j||_2 is smallest, in L-infinity
    |s_j| / ||g_j||_1 sign(g_j) of the smallest |s_j| / ||g_j||_1. What is looked at is the start + (1 + `overshoot`) r,
    and a row for which some score is above 0 stays there; it costs a forward a step then. Only the
    `candidates` highest scores are followed. A change is counted from the genome the search set out from.

    Departures: what the encoding forbids is cut off what is looked at, not off r; steps aim at a score of 0.00004 in
    place of 0, so that a row does not stop on the boundary itself; a gradient that vanishes is no way anywhere.
    """

    gradient = True
    alternatives = True

    def __init__(
        self, steps: int = 50, norm: str = "l2", overshoot: float = 0.02, candidates: int = 9
    ) -> None:
        _norms.check(norm, "deepfool")
        if steps < 1 or candidates < 1:
            raise InputError(
                f"search: steps={steps}, candidates={candidates}; write 1 or more of each."
            )
        if not 0 <= overshoot < 10:
            raise InputError(
                f"search.overshoot={overshoot}: write a share of the way, 0.02 as a rule, in [0, 10)."
            )
        self.steps, self.norm, self.overshoot, self.candidates = steps, norm, overshoot, candidates

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        _norms.check(self.norm, "deepfool", problem)
        genome = problem.start(rows) if genome is None else genome
        open_ = torch.ones(len(rows), dtype=torch.bool, device=genome.device)
        return {"start": genome, "change": torch.zeros_like(genome), "open": open_}

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 1 + 2 * self.candidates

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        start, change, open_ = state["start"], state["change"].clone(), state["open"].clone()
        genome = problem.project(torch.add(start, change, alpha=1 + self.overshoot), rows)
        who = rows.fold_in(step) if problem.stochastic else rows
        score, monitor = genome.new_zeros(2, len(rows))
        forwards, backwards = rows.item.new_zeros(2, len(rows))
        terms: dict[str, Tensor] = {}
        parts = [(part, True) for part in open_.nonzero()[:, 0].split(TOGETHER)]
        parts += [(part, False) for part in (~open_).nonzero()[:, 0].split(TOGETHER)]
        for part, climbing in parts:
            if len(part) == 0:
                continue
            cotangents = partial(_highest, self.candidates) if climbing else None
            found = problem.evaluate(genome[part], who.select(part), cotangents)
            score[part], best = found.scores.max(1)
            monitor[part] = found.monitor
            forwards[part], backwards[part] = found.forwards, found.backwards
            for name, value in _norms.of_column(found.terms, best).items():
                terms.setdefault(name, genome.new_zeros(len(rows)))[part] = value
            if climbing:
                short = score[part] <= _norms.BEYOND
                open_[part] = short
                change[part] += self._over(found) * _norms.across(short, change)
        state = {"start": start, "change": change, "open": open_}
        return state, StepReport(genome, score, monitor, forwards, backwards, terms)

    def _over(self, found: Evaluation) -> Tensor:
        """The shortest change [r, *shape] over the nearest of the boundaries, were they flat."""
        assert found.gradient is not None
        gradient = found.gradient
        count, rows = gradient.shape[:2]
        lacking = 2 * _norms.BEYOND - found.scores.topk(count, 1).values.T  # [v, r]
        way, promise = _norms.steepest(gradient.flatten(0, 1), self.norm)
        distance = lacking / promise.view(count, rows)
        near, which = distance.min(0)
        way = way.view_as(gradient)[which, torch.arange(rows, device=which.device)]
        return _norms.across(near, way) * way


def _highest(count: int, scores: Tensor) -> Tensor:
    """A covector for each of the `count` highest scores of a row, best first: [v, r, k] from [r, k]."""
    return _norms.one_each(scores.topk(min(count, scores.shape[1]), 1).indices, scores)
