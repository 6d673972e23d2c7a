"""Gradient ascent on genomes: SGD, Adam, NAdam, normalised, unit and sign steps, with regularisers.

Every formula applies to each row on its own: an item that is finished leaves the batch, and those
that stay move as they would have alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport, ones
from synth.errors import InputError, nearest
from synth.searches import _norms
from synth.searches._checks import check_differentiable
from synth.searches.regularisers import Regularisers

RULES = ("sgd", "adam", "nadam", "normalised", "unit", "sign")
ADAPTIVE = ("adam", "nadam")
RESCUE = 16  # the first steps, in which a row with a zero gradient (a dead unit) moves at random
NOISE = 1 << 20  # the stream of the noise; below it are those of the steps


class Gradient(Search):
    """Gradient ascent by one of six rules.

    - ``sgd``: the gradient times `rate`, with momentum (Polyak).
    - ``adam``: Kingma & Ba 2015, with betas `momentum` and `momentum2`.
    - ``nadam``: Adam with a momentum that looks one step ahead (Dozat 2016, with a constant
      momentum).
    - ``normalised``: the gradient divided by its mean absolute value, as in DeepDream
      (google/deepdream, ``dream.ipynb``).
    - ``unit``: the gradient divided by its L2 norm; in an L2 ball, projected gradient.
    - ``sign``: the sign of the gradient (Goodfellow et al. 2015); in an L-infinity ball, projected
      gradient descent (PGD) with momentum 0 (Madry et al. 2018), and the momentum iterative method
      with more (Dong et al. 2018). With `noise` it is the Langevin search of Arpit et al. 2017.

    A dead unit (no positive pre-activation) has no gradient. Where a row's gradient is exactly zero
    in one of the first 16 steps, its genome moves at random instead, further with each step, until
    there is a gradient. (Lucid, for as many steps, lets gradients through dead ReLUs instead.)

    Args:
        steps: how many steps.
        rule: one of the above.
        rate: length of a step, in units of the genome times those of the rule's gradient.
        rate_end: the rate of the last step, to which the rate falls linearly; None for a constant
            rate.
        momentum: in [0, 1); beta 1 of Adam.
        momentum2: in [0, 1); beta 2 of Adam.
        noise: standard deviation of normal noise that each step adds to the genome.
        regularisers: what happens between the steps; nothing where None.

    Raises:
        InputError: for an unknown rule or numbers out of range.
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
            hint = nearest(rule, RULES) or f" Write one of {', '.join(RULES)}."
            raise InputError(f"search.rule={rule}: no such rule.{hint}")
        if steps < 1:
            raise InputError(f"search.steps={steps}: write 1 or more.")
        if rate <= 0:
            raise InputError(f"search.rate={rate}: write a rate above 0.")
        if rate_end is not None and rate_end < 0:
            raise InputError(
                f"search.rate_end={rate_end}: write a rate of 0 or more, or null for a constant "
                "one."
            )
        if not (0 <= momentum < 1 and 0 <= momentum2 < 1):
            raise InputError(
                f"search.momentum={momentum}, momentum2={momentum2}: write shares in [0, 1)."
            )
        if noise < 0:
            raise InputError(f"search.noise={noise}: a standard deviation is at least 0.")
        self.steps = steps
        self.rule = rule
        self.rate = rate
        self.rate_end = rate_end
        self.momentum = momentum
        self.momentum2 = momentum2
        self.noise = noise
        self.regularisers = regularisers or Regularisers()

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        check_differentiable(problem, "gradient")
        genome = problem.start(rows) if genome is None else genome
        self.regularisers.check(genome, problem.baseline(rows))
        state = {"genome": genome}
        if self.rule in ADAPTIVE or self.momentum:
            state["first"] = torch.zeros_like(genome)
        if self.rule in ADAPTIVE:
            state["second"] = torch.zeros_like(genome)
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return 3  # a forward counts 1 and a backward 2

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        genome = state["genome"]
        evaluation = problem.evaluate(
            genome, rows.fold_in(step) if problem.stochastic else rows, ones
        )
        assert evaluation.gradient is not None
        gradient = evaluation.gradient[0]
        state = dict(state)
        moved = self._moved(genome, gradient, state, step)
        if step < RESCUE:
            length = self._rate(step) * (step + 1) ** 0.5
            rescue_rows = rows.fold_in(NOISE + 1).fold_in(step)
            moved = _rescued(moved, genome, gradient, rescue_rows, length)
        if self.noise:
            noise = rows.fold_in(NOISE).fold_in(step).normal(*genome.shape[1:])
            moved = torch.add(moved, noise, alpha=self.noise)
        if self.regularisers.active:
            moved = self.regularisers(moved, gradient, problem.baseline(rows), step)
        state["genome"] = problem.project(moved, rows)
        passes = torch.ones(len(rows), dtype=torch.int64, device=genome.device)
        return state, StepReport(
            genome=genome,
            score=evaluation.scores[:, 0],
            monitor=evaluation.monitor,
            forwards=passes * evaluation.forwards,
            backwards=passes * evaluation.backwards,
            terms={name: value[:, 0] for name, value in evaluation.terms.items()},
        )

    def _rate(self, step: int) -> float:
        if self.rate_end is None or self.steps == 1:
            return self.rate
        return self.rate + (self.rate_end - self.rate) * min(step / (self.steps - 1), 1.0)

    def _moved(self, genome: Genome, gradient: Tensor, state: State, step: int) -> Genome:
        """The genome after the step; updates the moments in `state` in place, never a genome."""
        if self.rule in ADAPTIVE:
            return self._adaptive(genome, gradient, state, step)
        if self.rule == "normalised":
            mean = gradient.abs().flatten(1).mean(1)
            gradient = gradient / (_norms.across(mean, gradient) + 1e-12)
        if self.rule == "unit":
            norm = gradient.flatten(1).norm(dim=1)
            gradient = gradient / (_norms.across(norm, gradient) + 1e-12)
        if self.momentum:
            gradient = state["first"].mul_(self.momentum).add_(gradient)
        direction = gradient.sign() if self.rule == "sign" else gradient
        return torch.add(genome, direction, alpha=self._rate(step))

    def _adaptive(self, genome: Genome, gradient: Tensor, state: State, step: int) -> Genome:
        """A step of Adam or NAdam; updates the moments in place.

        Both bias corrections are one number, as Kingma & Ba note at the end of their section 2.
        The number of steps is the same for all rows, since items leave the batch but none joins.
        """
        first = state["first"].lerp_(gradient, 1 - self.momentum)
        second = state["second"].mul_(self.momentum2)
        second = second.addcmul_(gradient, gradient, value=1 - self.momentum2)
        count = step + 1
        correction = math.sqrt(1 - self.momentum2**count) / (1 - self.momentum**count)
        if self.rule == "nadam":  # the momentum of the next step, with that step's bias correction
            ahead = self.momentum * (1 - self.momentum**count) / (1 - self.momentum ** (count + 1))
            first = (first * ahead).add_(gradient, alpha=1 - self.momentum)
        rate = self._rate(step)
        return torch.addcdiv(genome, first, second.sqrt().add_(1e-8), value=rate * correction)


def _rescued(moved: Genome, genome: Genome, gradient: Tensor, rows: Rows, length: float) -> Genome:
    """`moved`, but `genome` plus `length` times normal noise in rows whose gradient is all zero."""
    dead = gradient.flatten(1).abs().amax(1) == 0
    if not bool(dead.any()):
        return moved
    moved = moved.clone()
    moved[dead] = genome[dead] + length * rows.select(dead).normal(*genome.shape[1:])
    return moved
