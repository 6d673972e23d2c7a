"""Limited-memory BFGS ascent, each row with a curvature and a line search of its own.

`torch.optim.LBFGS` couples rows through its dot products; here one hard picture cannot slow the others.
Source: Nocedal & Wright, *Numerical Optimization*, algorithms 7.4 and 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport, ones
from synth.errors import InputError


class LBFGS(Search):
    """`steps` quasi-Newton steps with `memory` curvature pairs and a backtracking line search of `tries` looks.

    A step is accepted where the score rises by at least 1e-4 of what the slope promises (Armijo); a row whose
    line search fails forgets its curvature, and stays. Pairs of non-positive curvature are not stored.
    Departure from the book: Armijo alone, not the Wolfe conditions, for a third fewer passes.
    """

    gradient = True

    def __init__(
        self, steps: int = 100, memory: int = 10, tries: int = 10, first: float = 0.05
    ) -> None:
        if steps < 1 or memory < 1 or tries < 1:
            raise InputError(
                f"search: steps={steps}, memory={memory}, tries={tries}; write 1 or more of each."
            )
        if first <= 0:
            raise InputError(
                f"search.first={first}: the length of the first step's largest change must be above 0."
            )
        self.steps, self.memory, self.tries, self.first = steps, memory, tries, first

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        if not problem.differentiable:
            raise InputError(
                "search=lbfgs: this encoding has no gradient; use search=genetic, or another encoding."
            )
        if problem.stochastic:
            raise InputError(
                "search=lbfgs: it needs the same score twice; write transform=none, or use search=gradient."
            )
        genome = problem.start(rows) if genome is None else genome
        count, length = len(rows), genome[0].numel()
        empty = genome.new_zeros(count, self.memory, length)
        return {
            "genome": genome,
            "score": genome.new_full((count,), -torch.inf),  # -inf: not yet evaluated
            "slope": torch.zeros_like(genome),
            "moves": empty,
            "turns": empty.clone(),
            "inverse": genome.new_zeros(
                count, self.memory
            ),  # 1 / (move . turn); 0 marks an empty place
        }

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return (
            3 + 3 * self.tries + 1
        )  # the first look, a line search that fails, and the look at where it stays

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        count = len(rows)
        state = dict(state)
        forwards = torch.zeros(count, dtype=torch.int64, device=rows.item.device)
        backwards = forwards.clone()
        if bool(state["score"].isneginf().any()):  # the first step: learn where we stand
            start = problem.evaluate(state["genome"], rows, ones)
            assert start.gradient is not None
            state["score"], state["slope"] = start.scores[:, 0], start.gradient[0]
            forwards += start.forwards
            backwards += start.backwards
        genome, slope = state["genome"].flatten(1), state["slope"].flatten(1)
        direction = self._direction(slope, state)
        rise = (direction * slope).sum(1)
        uphill = rise > 0
        direction = torch.where(uphill[:, None], direction, slope)
        rise = torch.where(uphill, rise, slope.square().sum(1))
        fresh = ~(state["inverse"] != 0).any(1) | ~uphill
        length = torch.where(
            fresh, self.first / direction.abs().amax(1).clamp_min(1e-12), torch.ones_like(rise)
        )

        best = {"genome": genome.clone(), "score": state["score"].clone(), "slope": slope.clone()}
        monitor = genome.new_zeros(count)
        terms: dict[str, Tensor] = {}
        open_rows = torch.arange(count, device=genome.device)
        moved = torch.zeros(count, dtype=torch.bool, device=genome.device)
        for _ in range(self.tries):
            who = rows.select(open_rows)
            tried = (genome + length[:, None] * direction)[open_rows].view(
                -1, *state["genome"].shape[1:]
            )
            tried = problem.project(tried, who)
            found = problem.evaluate(tried, who, ones)
            assert found.gradient is not None
            forwards[open_rows] += found.forwards
            backwards[open_rows] += found.backwards
            score = found.scores[:, 0]
            good = score >= state["score"][open_rows] + 1e-4 * length[open_rows] * rise[open_rows]
            done = open_rows[good]
            best["genome"][done] = tried[good].flatten(1)
            best["score"][done], best["slope"][done] = (
                score[good],
                found.gradient[0][good].flatten(1),
            )
            monitor[done], moved[done] = found.monitor[good], True
            for name, value in found.terms.items():
                terms.setdefault(name, genome.new_zeros(count))[done] = value[good, 0]
            length[open_rows[~good]] *= 0.5
            open_rows = open_rows[~good]
            if len(open_rows) == 0:
                break
        if len(open_rows):  # stayed where it was: what it says must still be what was evaluated
            who = rows.select(open_rows)
            stay = problem.evaluate(state["genome"][open_rows], who)
            forwards[open_rows] += stay.forwards
            monitor[open_rows] = stay.monitor
            for name, value in stay.terms.items():
                terms.setdefault(name, genome.new_zeros(count))[open_rows] = value[:, 0]
        self._remember(state, best["genome"] - genome, slope - best["slope"], moved)
        shape = state["genome"].shape
        state["genome"], state["slope"] = best["genome"].view(shape), best["slope"].view(shape)
        state["score"] = best["score"]
        return state, StepReport(
            state["genome"], best["score"], monitor, forwards, backwards, terms
        )

    def _direction(self, slope: Tensor, state: State) -> Tensor:
        """The two-loop recursion (algorithm 7.4) on all rows at once; empty places have inverse 0 and drop out."""
        moves, turns, inverse = state["moves"], state["turns"], state["inverse"]
        vector, factors = slope.clone(), []
        for i in range(self.memory - 1, -1, -1):  # newest last
            factor = inverse[:, i] * (moves[:, i] * vector).sum(1)
            vector = vector - factor[:, None] * turns[:, i]
            factors.append(factor)
        newest = turns[:, -1].square().sum(1)
        scale = torch.where(
            newest > 0, 1 / (inverse[:, -1] * newest).clamp_min(1e-20), torch.ones_like(newest)
        )
        vector = vector * scale[:, None]
        for i, factor in zip(range(self.memory), reversed(factors), strict=True):
            back = inverse[:, i] * (turns[:, i] * vector).sum(1)
            vector = vector + moves[:, i] * (factor - back)[:, None]
        return vector

    def _remember(self, state: State, move: Tensor, turn: Tensor, moved: Tensor) -> None:
        """Stores the newest pair where its curvature is positive; forgets all of a row that could not move."""
        curvature = (move * turn).sum(1)
        good = moved & (curvature > 1e-10 * turn.square().sum(1))
        for name, newest in (("moves", move), ("turns", turn), ("inverse", 1 / curvature)):
            kept = state[name]
            shifted = torch.cat([kept[:, 1:], newest[:, None]], dim=1)
            mask = good.view(-1, *[1] * (kept.ndim - 1))
            state[name] = torch.where(mask, shifted, kept)
        stuck = ~moved
        if bool(stuck.any()):
            for name in ("moves", "turns", "inverse"):
                state[name] = torch.where(
                    stuck.view(-1, *[1] * (state[name].ndim - 1)), 0.0, state[name]
                )
