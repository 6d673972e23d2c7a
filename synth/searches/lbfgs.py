"""Limited-memory BFGS ascent with a curvature memory and a line search for each row.

`torch.optim.LBFGS` takes dot products over the whole batch and so couples its rows; here each row
is an independent optimisation problem, and a hard one does not slow the others.

Source: Nocedal & Wright, *Numerical Optimization*, algorithms 7.4 and 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from synth.core import Evaluation, Genome, Problem, Rows, Search, State, StepReport, ones
from synth.errors import InputError
from synth.searches._checks import check_differentiable


class LBFGS(Search):
    """Quasi-Newton ascent with a backtracking line search.

    A step is accepted where the score rises by at least 1e-4 of what the slope promises (Armijo). A
    row whose line search fails loses its curvature pairs and stays where it is. Pairs of
    non-positive curvature are not stored. Departure from the book: Armijo alone, not the Wolfe
    conditions, which saves a third of the passes.

    Args:
        steps: how many steps.
        memory: curvature pairs that are remembered.
        tries: the most evaluations of a line search.
        first: largest absolute change of any number of the genome in a first, gradient step.

    Raises:
        InputError: for numbers out of range.
    """

    gradient = True
    precise = True

    def __init__(
        self, steps: int = 100, memory: int = 10, tries: int = 10, first: float = 0.05
    ) -> None:
        if steps < 1 or memory < 1 or tries < 1:
            raise InputError(
                f"search: steps={steps}, memory={memory}, tries={tries}; write 1 or more of each."
            )
        if first <= 0:
            raise InputError(
                f"search.first={first}: the length of the first step's largest change must be "
                "above 0."
            )
        self.steps = steps
        self.memory = memory
        self.individuals = 2 * memory
        self.tries = tries
        self.first = first

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        check_differentiable(problem, "lbfgs")
        if problem.stochastic:
            raise InputError(
                "search=lbfgs: it needs the same score twice; write transform=none, or use "
                "search=gradient."
            )
        genome = problem.start(rows) if genome is None else genome
        count = len(rows)
        empty = genome.new_zeros(count, self.memory, genome[0].numel())
        return {
            "genome": genome,
            "score": genome.new_full((count,), -torch.inf),  # -inf: not yet evaluated
            "slope": torch.zeros_like(genome),
            "moves": empty,
            "turns": empty.clone(),
            # 1 / (move . turn); 0 marks an empty place
            "inverse": genome.new_zeros(count, self.memory),
        }

    def passes(self, stochastic: bool, items: int = 1) -> int:
        # the first evaluation, a line search that fails, and the evaluation where the row stays
        return 3 + 3 * self.tries + 1

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        state = dict(state)
        forwards = torch.zeros(len(rows), dtype=torch.int64, device=rows.item.device)
        backwards = forwards.clone()
        if bool(state["score"].isneginf().any()):  # the first step: the start is not yet evaluated
            start = problem.evaluate(state["genome"], rows, ones)
            assert start.gradient is not None
            state["score"] = start.scores[:, 0]
            state["slope"] = start.gradient[0]
            forwards += start.forwards
            backwards += start.backwards
        genome = state["genome"].flatten(1)
        slope = state["slope"].flatten(1)
        search = self._line_search(problem, rows, state)
        self._remember(state, search.genome - genome, slope - search.slope, search.moved)
        shape = state["genome"].shape
        state["genome"] = search.genome.view(shape)
        state["slope"] = search.slope.view(shape)
        state["score"] = search.score
        return state, StepReport(
            genome=state["genome"],
            score=search.score,
            monitor=search.monitor,
            forwards=forwards + search.forwards,
            backwards=backwards + search.backwards,
            terms=search.terms,
        )

    def _line_search(self, problem: Problem, rows: Rows, state: State) -> _LineSearch:
        """Backtracking (algorithm 3.1) of all rows; each halves its step until it is accepted."""
        genome = state["genome"].flatten(1)
        direction, rise, length = self._proposal(state)
        search = _LineSearch.at(state)
        open_rows = torch.arange(len(rows), device=genome.device)
        for _ in range(self.tries):
            part = rows.select(open_rows)
            tried = (genome + length[:, None] * direction)[open_rows]
            tried = problem.project(tried.view(-1, *state["genome"].shape[1:]), part)
            evaluation = problem.evaluate(tried, part, ones)
            search.count(open_rows, evaluation)
            score = evaluation.scores[:, 0]
            least = state["score"][open_rows] + 1e-4 * length[open_rows] * rise[open_rows]
            accepted = score >= least
            search.accept(open_rows, accepted, tried, evaluation)
            length[open_rows[~accepted]] *= 0.5
            open_rows = open_rows[~accepted]
            if len(open_rows) == 0:
                break
        if len(open_rows):  # these rows stay: report the monitor and terms of where they are
            part = rows.select(open_rows)
            evaluation = problem.evaluate(state["genome"][open_rows], part)
            search.count(open_rows, evaluation)
            search.report(open_rows, evaluation)
        return search

    def _proposal(self, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """Direction [r, d], the slope along it [r], and the first length to try [r].

        Where the quasi-Newton direction does not ascend, the direction is the gradient; its length
        is chosen so that the largest change is `first`.
        """
        slope = state["slope"].flatten(1)
        direction = self._direction(slope, state)
        rise = (direction * slope).sum(1)
        ascends = rise > 0
        direction = torch.where(ascends[:, None], direction, slope)
        rise = torch.where(ascends, rise, slope.square().sum(1))
        is_gradient = ~(state["inverse"] != 0).any(1) | ~ascends
        first_length = self.first / direction.abs().amax(1).clamp_min(1e-12)
        return direction, rise, torch.where(is_gradient, first_length, torch.ones_like(rise))

    def _direction(self, slope: Tensor, state: State) -> Tensor:
        """The two-loop recursion (algorithm 7.4) on all rows at once.

        Empty places of the memory have an inverse of 0 and drop out.
        """
        moves = state["moves"]
        turns = state["turns"]
        inverse = state["inverse"]
        vector = slope.clone()
        factors = []
        for i in range(self.memory - 1, -1, -1):  # the newest pair is the last
            factor = inverse[:, i] * (moves[:, i] * vector).sum(1)
            vector = vector - factor[:, None] * turns[:, i]
            factors.append(factor)
        newest = turns[:, -1].square().sum(1)
        curvature = 1 / (inverse[:, -1] * newest).clamp_min(1e-20)
        scale = torch.where(newest > 0, curvature, torch.ones_like(newest))
        vector = vector * scale[:, None]
        for i, factor in zip(range(self.memory), reversed(factors), strict=True):
            back = inverse[:, i] * (turns[:, i] * vector).sum(1)
            vector = vector + moves[:, i] * (factor - back)[:, None]
        return vector

    def _remember(self, state: State, move: Tensor, turn: Tensor, moved: Tensor) -> None:
        """Store the newest pair where its curvature is positive; clear the rows that stayed."""
        curvature = (move * turn).sum(1)
        good = moved & (curvature > 1e-10 * turn.square().sum(1))
        for name, newest in (("moves", move), ("turns", turn), ("inverse", 1 / curvature)):
            pairs = state[name]
            shifted = torch.cat([pairs[:, 1:], newest[:, None]], dim=1)
            mask = good.view(-1, *[1] * (pairs.ndim - 1))
            state[name] = torch.where(mask, shifted, pairs)
        stuck = ~moved
        if bool(stuck.any()):
            for name in ("moves", "turns", "inverse"):
                mask = stuck.view(-1, *[1] * (state[name].ndim - 1))
                state[name] = torch.where(mask, 0.0, state[name])


@dataclass
class _LineSearch:
    """Where the line searches of r rows arrived: genome and slope [r, d], score, monitor, terms.

    `moved` [r] tells which rows had a step accepted; `forwards` and `backwards` [r] count passes.
    """

    genome: Tensor
    slope: Tensor
    score: Tensor
    monitor: Tensor
    moved: Tensor
    forwards: Tensor
    backwards: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def at(cls, state: State) -> _LineSearch:
        """The line searches before their first evaluation."""
        score = state["score"].clone()
        return cls(
            genome=state["genome"].flatten(1).clone(),
            slope=state["slope"].flatten(1).clone(),
            score=score,
            monitor=state["genome"].new_zeros(len(score)),
            moved=torch.zeros_like(score, dtype=torch.bool),
            forwards=torch.zeros_like(score, dtype=torch.int64),
            backwards=torch.zeros_like(score, dtype=torch.int64),
        )

    def count(self, rows: Tensor, evaluation: Evaluation) -> None:
        """Add the passes of an evaluation of `rows` (indices)."""
        self.forwards[rows] += evaluation.forwards
        self.backwards[rows] += evaluation.backwards

    def accept(self, rows: Tensor, accepted: Tensor, tried: Genome, evaluation: Evaluation) -> None:
        """Move those of `rows` whose step is `accepted` (a mask over them) to where they tried."""
        assert evaluation.gradient is not None
        done = rows[accepted]
        self.genome[done] = tried[accepted].flatten(1)
        self.score[done] = evaluation.scores[accepted, 0]
        self.slope[done] = evaluation.gradient[0][accepted].flatten(1)
        self.moved[done] = True
        self.report(rows, evaluation, accepted)

    def report(
        self, rows: Tensor, evaluation: Evaluation, which: Tensor | slice = slice(None)
    ) -> None:
        """Take over monitor and terms of those of `rows` that `which` selects."""
        self.monitor[rows[which]] = evaluation.monitor[which]
        for name, value in evaluation.terms.items():
            zeros = self.monitor.new_zeros(len(self.monitor))
            self.terms.setdefault(name, zeros)[rows[which]] = value[which, 0]
