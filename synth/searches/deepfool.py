"""DeepFool: minimal adversarial perturbations across linearised decision boundaries."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from synth.core import Evaluation, Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError
from synth.searches import _norms

ROWS_AT_A_TIME = 64  # a row's gradients are `candidates` tensors as large as its genome


class DeepFool(Search):
    """DeepFool (Moosavi-Dezfooli et al. 2016), from the genome that the search starts from.

    With scores s_j of the genome (`Alternatives`: z_j - z_y; a margin is a single one) and their
    gradients g_j, each step adds to the perturbation r the shortest change that crosses the nearest
    of the boundaries s_j = 0, were the scores linear. In L2 that is |s_j| / ||g_j||_2^2 g_j for the
    j of the smallest |s_j| / ||g_j||_2, in L-infinity |s_j| / ||g_j||_1 sign(g_j) for the j of the
    smallest |s_j| / ||g_j||_1. The genome that is evaluated is the start + (1 + `overshoot`) r.
    A row one of whose scores is above 0 is adversarial and stays as it is, at one forward a step.

    Departures from the paper: projection applies to the evaluated genome, not to r; steps aim at a
    score of 0.00004 instead of 0, so that a row does not stop on the boundary itself; where a
    gradient vanishes, there is no step in its direction.

    Args:
        steps: the most steps.
        norm: ``l2`` or ``linf``, the norm of the perturbation.
        overshoot: how far beyond the linearised boundary, as a share of the whole way in [0, 10).
        candidates: how many of the highest scores are followed; each costs a backward pass.

    Raises:
        InputError: for numbers out of range or an unknown norm.
    """

    gradient = True
    alternatives = True
    precise = True

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
                f"search.overshoot={overshoot}: write a share of the way, 0.02 as a rule, in "
                "[0, 10)."
            )
        self.steps = steps
        self.norm = norm
        self.overshoot = overshoot
        self.candidates = candidates

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        _norms.check(self.norm, "deepfool", problem)
        genome = problem.start(rows) if genome is None else genome
        open_rows = torch.ones(len(rows), dtype=torch.bool, device=genome.device)
        return {"start": genome, "change": torch.zeros_like(genome), "open": open_rows}

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 1 + 2 * self.candidates

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        start = state["start"]
        change = state["change"].clone()
        open_rows = state["open"].clone()
        genome = problem.project(torch.add(start, change, alpha=1 + self.overshoot), rows)
        drawn_rows = rows.fold_in(step) if problem.stochastic else rows
        score, monitor = genome.new_zeros(2, len(rows))
        forwards, backwards = rows.item.new_zeros(2, len(rows))
        terms: dict[str, Tensor] = {}
        parts = [(part, True) for part in open_rows.nonzero()[:, 0].split(ROWS_AT_A_TIME)]
        parts += [(part, False) for part in (~open_rows).nonzero()[:, 0].split(ROWS_AT_A_TIME)]
        for part, is_open in parts:
            if len(part) == 0:
                continue
            cotangents = partial(_highest, self.candidates) if is_open else None
            evaluation = problem.evaluate(genome[part], drawn_rows.select(part), cotangents)
            score[part], best = evaluation.scores.max(1)
            monitor[part] = evaluation.monitor
            forwards[part] = evaluation.forwards
            backwards[part] = evaluation.backwards
            for name, value in _norms.of_column(evaluation.terms, best).items():
                terms.setdefault(name, genome.new_zeros(len(rows)))[part] = value
            if is_open:
                short = score[part] <= _norms.BEYOND
                open_rows[part] = short
                change[part] += self._crossing(evaluation) * _norms.across(short, change)
        state = {"start": start, "change": change, "open": open_rows}
        return state, StepReport(genome, score, monitor, forwards, backwards, terms)

    def _crossing(self, evaluation: Evaluation) -> Tensor:
        """The shortest change [r, *shape] across the nearest of the linearised boundaries."""
        assert evaluation.gradient is not None
        gradient = evaluation.gradient
        count, rows = gradient.shape[:2]
        lacking = 2 * _norms.BEYOND - evaluation.scores.topk(count, 1).values.T  # [v, r]
        direction, rate = _norms.steepest(gradient.flatten(0, 1), self.norm)
        distance = lacking / rate.view(count, rows)
        nearest, which = distance.min(0)
        direction = direction.view_as(gradient)[which, torch.arange(rows, device=which.device)]
        return _norms.across(nearest, direction) * direction


def _highest(count: int, scores: Tensor) -> Tensor:
    """A covector for each of the `count` highest scores, best first: [v, r, k] from [r, k]."""
    return _norms.one_hot(scores.topk(min(count, scores.shape[1]), 1).indices, scores)
