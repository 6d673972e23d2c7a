"""Evolution that learns its own step: one normal distribution an item, adapted to what scored well (CMA-ES).

Source: Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772 (2016); its equations are named below.
With a diagonal covariance: Ros & Hansen, "A Simple Modification in CMA-ES Achieving Linear Time and Space
Complexity", PPSN 2008. Computed in float64; all items' samples are evaluated as one batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError, nearest
from synth.searches._cma_rates import Rates, rates

COVARIANCES = ("diagonal", "full")
LONGEST = 2000  # numbers in a genome with a full covariance: a few matrices of 32 MB an item, a second a decomposition
LARGEST = 3 * 8192 * 8192  # numbers in the largest picture
STEEPEST = 1e14  # ratio of the largest variance to the smallest
FARTHEST = 1e12  # factor by which the step may leave its initial value, either way


class CmaEs(Search):
    """`generations` of `population` samples (None: 4 + floor(3 ln d) of a genome of d numbers), first step `sigma`.

    `covariance` ``full`` learns how all numbers of a genome vary together, in genomes of up to 2,000 numbers;
    ``diagonal`` learns a variance of each, in genomes of any length. `active` also learns from the worse half
    (the tutorial's negative weights).

    A sample outside the legal genomes is projected, and the projected sample is what the strategy learns from, so
    that the mean stays legal. Were it the sample as drawn, nothing would hold the mean back: on a sphere in a box
    it was found a hundred boxes away, with a step as large as the box. The price is that the variance across a wall
    shrinks sooner.

    A score that is not a number, or infinite, gets no weight and is counted in the statistics as ``invalid``; an
    item whose generation has no other stays where it is. The genome of a step is the best so far. Where scores
    are noisy it is the mean, evaluated with each generation: the best would be the luckiest.
    """

    def __init__(
        self,
        generations: int = 200,
        population: int | None = None,
        sigma: float = 0.3,
        covariance: str = "diagonal",
        active: bool = False,
    ) -> None:
        if generations < 1:
            raise InputError(f"search.generations={generations}: write 1 or more.")
        if population is not None and population < 2:
            raise InputError(
                f"search.population={population}: half of it are parents; write 2 or more, or null."
            )
        if not 0 < sigma < math.inf:
            raise InputError(
                f"search.sigma={sigma}: the first step is a standard deviation above 0; write 0.3, say."
            )
        if covariance not in COVARIANCES:
            hint = nearest(covariance, COVARIANCES) or " Write diagonal or full."
            raise InputError(f"search.covariance={covariance}: no such covariance.{hint}")
        self.steps, self.population, self.sigma = generations, population, sigma
        self.diagonal, self.active = covariance == "diagonal", active
        self._length = LARGEST  # of a genome; `init` learns it

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        genome = problem.project(problem.start(rows) if genome is None else genome, rows)
        mean = genome.flatten(1).double()
        count, self._length = mean.shape
        if not self.diagonal and self._length > LONGEST:
            gigabytes = 2 * 8 * self._length**2 / 1e9  # covariance and basis in float64
            raise InputError(
                f"search.covariance=full: {gigabytes:.2g} GB an item for genomes of {self._length} numbers, and time "
                f"that grows with their cube; {LONGEST} is the most. Write search.covariance=diagonal, or encoding=dct."
            )
        state = {
            "genome": genome,
            "score": torch.full((count,), -torch.inf, device=genome.device),
            "monitor": torch.zeros(count, device=genome.device),
            "mean": mean,
            "sigma": torch.full_like(mean[:, 0], self.sigma),
            "path": torch.zeros_like(mean),
            "path_sigma": torch.zeros_like(mean),
            "covariance": torch.ones_like(mean),
            "generation": torch.zeros(count, dtype=torch.int64, device=genome.device),
        }
        if not self.diagonal:
            state["covariance"] = torch.diag_embed(state["covariance"])
            state["basis"], state["lengths"] = state["covariance"].clone(), torch.ones_like(mean)
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return self._size(self._length) + stochastic

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        rows, noisy, best = rows.fold_in(step), problem.stochastic, state["genome"]
        samples = self.ask(state, rows.fold_in(1))
        if noisy:
            samples = torch.cat([state["mean"][:, None], samples], dim=1)
        count, size = samples.shape[:2]
        crowd = rows.fold_in(2).split(size)
        asked = samples.to(best.dtype).view(count * size, *best.shape[1:])
        genomes = problem.project(asked, crowd)
        samples = samples + (genomes - asked).view_as(
            samples
        )  # where nothing was projected, nothing is rounded
        found = problem.evaluate(genomes, crowd)
        fitness = found.scores[:, 0].view(count, size)
        fitness = fitness.masked_fill(~fitness.isfinite(), -torch.inf)
        leader = torch.zeros_like(state["generation"]) if noisy else fitness.argmax(1)
        wins = fitness.gather(1, leader[:, None])[:, 0] > (-torch.inf if noisy else state["score"])
        everyone = torch.arange(count, device=leader.device)
        leaders = {"genome": genomes.view(count, size, *best.shape[1:]), "score": fitness}
        leaders["monitor"] = found.monitor.view_as(fitness)
        held = {
            name: _where(wins, value[everyone, leader], state[name])
            for name, value in leaders.items()
        }
        state = {**self.tell(state, samples[:, noisy:], fitness[:, noisy:]), **held}
        spent = torch.full(
            (count,), size * found.forwards, dtype=torch.int64, device=fitness.device
        )
        return state, StepReport(
            genome=state["genome"],
            score=state["score"],
            monitor=state["monitor"],
            forwards=spent,
            backwards=torch.zeros_like(spent),
            statistics={
                **_summed(fitness[:, noisy:]),
                "sigma": state["sigma"],
                "axis_ratio": self._ratio(state),
            },
        )

    def ask(self, state: State, rows: Rows) -> Tensor:
        """One generation of each item, not yet projected: float64 [n, population, d]."""
        count, length = state["mean"].shape
        size = self._size(length)
        draws = rows.split(size).normal(length).double().view(count, size, length)
        if self.diagonal:
            moves = draws.mul_(state["covariance"].sqrt()[:, None])
        else:
            moves = _products(draws.mul_(state["lengths"][:, None]), state["basis"].mT)
        return moves.mul_(state["sigma"][:, None, None]).add_(state["mean"][:, None])

    def tell(self, state: State, samples: Tensor, fitness: Tensor) -> State:
        """The distributions [n] after `samples` [n, p, d] scored `fitness` [n, p], -inf where that is invalid."""
        mean, sigma = state["mean"], state["sigma"]
        length = mean.shape[1]
        rate = rates(length, fitness.shape[1], self.diagonal, self.active)
        order = fitness.argsort(dim=1, descending=True, stable=True)[:, : len(rate.weights)]
        valid = fitness.gather(1, order) > -torch.inf
        weights = _weighed(torch.tensor(rate.weights, dtype=mean.dtype, device=mean.device), valid)
        samples = samples.gather(1, order[..., None].expand(-1, -1, length))
        moves = (samples - mean[:, None]) / sigma[:, None, None]
        move = (weights.clamp_min(0)[..., None] * moves).sum(1)

        # the step length: (43), (44)
        kept, gain = 1 - rate.step, math.sqrt(rate.step * (2 - rate.step) * rate.effective)
        path_sigma = kept * state["path_sigma"] + gain * self._whitened(state, move[:, None])[:, 0]
        reach = path_sigma.norm(dim=1) / rate.expected
        exponent = ((reach - 1) * rate.step / rate.damping).clamp_max(1.0)

        # the covariance: (45) to (47)
        warm = (1 - kept ** (2.0 * (state["generation"] + 1))).sqrt()
        steady = (reach / warm < 1.4 + 2 / (length + 1)).to(mean.dtype)
        gain = math.sqrt(rate.path * (2 - rate.path) * rate.effective)
        path = (1 - rate.path) * state["path"] + (steady * gain)[:, None] * move
        if self.active:
            far = self._whitened(state, moves).square().sum(2).clamp_min(1e-300)
            pulls = torch.where(weights < 0, weights * length / far, weights)
        else:
            pulls = weights
        alive = valid[:, 0]  # items with a score to learn from; the others keep what they have
        pulls = torch.cat(
            [rate.rank_mu * pulls, rate.rank_one * alive[:, None].to(mean.dtype)], dim=1
        )
        lost = rate.rank_one + rate.rank_mu * weights.sum(1)
        kept_covariance = 1 - lost + (1 - steady) * rate.rank_one * rate.path * (2 - rate.path)
        covariance = self._adapted(
            state["covariance"],
            kept_covariance.where(alive, 1.0),
            pulls,
            torch.cat([moves, path[:, None]], dim=1),
        )
        told = {
            "mean": mean + sigma[:, None] * move,
            "sigma": (sigma * exponent.exp()).clamp(self.sigma / FARTHEST, self.sigma * FARTHEST),
            "path": path,
            "path_sigma": path_sigma,
        }
        told = {name: _where(alive, value, state[name]) for name, value in told.items()} | {
            "covariance": covariance
        }
        state = {**state, **told, "generation": state["generation"] + 1}
        return state if self.diagonal else _decomposed(state, rate)

    def _size(self, length: int) -> int:
        return self.population or 4 + int(3 * math.log(length))

    def _adapted(self, covariance: Tensor, kept: Tensor, pulls: Tensor, moves: Tensor) -> Tensor:
        """What is `kept` [n] of each covariance, and the squares of `moves` [n, m, d] times their `pulls` [n, m]."""
        pulls = pulls[..., None]
        if self.diagonal:
            grown = kept[:, None] * covariance + (pulls * moves.square()).sum(1)
            return grown.clamp_min(grown.amax(1, keepdim=True) / STEEPEST)
        return _products((pulls * moves).mT, moves).addcmul_(covariance, kept[:, None, None])

    def _whitened(self, state: State, moves: Tensor) -> Tensor:
        """C^(-1/2) times each of `moves` [n, m, d]."""
        if self.diagonal:
            return moves / state["covariance"].sqrt()[:, None]
        return _products(
            _products(moves, state["basis"]) / state["lengths"][:, None], state["basis"].mT
        )

    def _ratio(self, state: State) -> Tensor:
        """The longest axis of each distribution by its shortest, [n]."""
        lengths = state["covariance"].sqrt() if self.diagonal else state["lengths"]
        return lengths.amax(1) / lengths.amin(1)


def _weighed(weights: Tensor, valid: Tensor) -> Tensor:
    """The `weights` [m] of the ranks of each item, [n, m]: none for what is not `valid`, the others' sum 1 again."""
    weights = weights * valid
    shares = weights.clamp_min(0)
    total = shares.sum(1, keepdim=True)
    return torch.where(weights > 0, shares / total.where(total > 0, 1.0), weights)


def _decomposed(state: State, rate: Rates) -> State:
    """`state` with its eigenbasis, renewed before the covariance can change by more than a tenth of itself.

    The tutorial's section B.2; it costs d^3, the rest of a step d^2 a sample.
    """
    length = state["mean"].shape[1]
    gap = max(1, int(1 / (10 * length * (rate.rank_one + rate.rank_mu))))
    due = state["generation"] % gap == 0
    if not bool(due.any()):
        return state
    covariance = (state["covariance"] + state["covariance"].mT) / 2
    values, basis = _eigen(covariance)
    lengths = values.clamp_min(values[:, -1:] / STEEPEST).sqrt()
    new = {"covariance": covariance, "basis": basis, "lengths": lengths}
    return {**state, **{name: _where(due, value, state[name]) for name, value in new.items()}}


def _eigen(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues [n, d], ascending, and eigenvectors [n, d, d] of symmetric `matrices`, as `_products` makes its bits.

    Laid out by rows, as a checkpoint has them: the layout too decides the last bits of a product.
    """
    if matrices.device.type != "cpu":
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors.contiguous()
    found = [torch.linalg.eigh(matrix.clone()) for matrix in matrices]
    return torch.stack([values for values, _ in found]), torch.stack(
        [vectors for _, vectors in found]
    )


def _products(ones: Tensor, others: Tensor) -> Tensor:
    """Matrix products [n, a, c] of `ones` [n, a, b] and `others` [n, b, c], each item's bits its own.

    On a CPU, the last bits of a product depend on where in memory the matrices begin; copies all begin alike.
    """
    if ones.device.type != "cpu":
        return ones @ others
    return torch.stack(
        [one.clone() @ other.clone() for one, other in zip(ones, others, strict=True)]
    )


def _where(chosen: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """`new` [n, ...] in the rows that `chosen` [n] names, else `old`."""
    return torch.where(chosen.view(-1, *[1] * (new.ndim - 1)), new, old)


def _summed(fitness: Tensor) -> dict[str, Tensor]:
    """What a generation [n, p] came to; mean and deviation are of its valid members, 0 where there are none."""
    valid = fitness > -torch.inf
    count = valid.sum(1).clamp_min(1)
    mean = fitness.masked_fill(~valid, 0.0).sum(1) / count
    away = (fitness - mean[:, None]).masked_fill(~valid, 0.0)
    return {
        "max": fitness.amax(1),
        "mean": mean,
        "std": (away.square().sum(1) / count).sqrt(),
        "invalid": (~valid).sum(1),
    }
