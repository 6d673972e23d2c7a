"""CMA-ES: an evolution strategy that adapts the covariance of its normal distribution.

Source: Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772 (2016); numbers in
brackets are its equations. With a diagonal covariance: Ros & Hansen, "A Simple Modification in
CMA-ES Achieving Linear Time and Space Complexity", PPSN 2008. Computed in float64; the samples of
all items are evaluated as one batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError, nearest
from synth.searches._cma_rates import Rates, rates

COVARIANCES = ("diagonal", "full")
# the most numbers of a genome with a full covariance: a few matrices of 32 MB an item, and a second
# for each eigendecomposition
LONGEST = 2000
LARGEST = 3 * 8192 * 8192  # numbers in the largest image
STEEPEST = 1e14  # the largest ratio of variances
FARTHEST = 1e12  # the largest factor between the step size and its initial value, either way


class CmaEs(Search):
    """CMA-ES with a full or a diagonal covariance, one distribution for each item.

    A sample outside the legal genomes is projected, and the strategy learns from the projected
    sample, so that the mean stays legal. With the sample as drawn, nothing would hold the mean
    back: on a sphere in a box it was found a hundred boxes away, with a step as large as the box.
    The price is that the variance across a boundary shrinks sooner.

    A score that is not finite gets no weight and is counted in the statistics as ``invalid``; an
    item whose generation has no valid score stays where it is. The genome of a step is the best so
    far. Where scores are noisy it is the mean, evaluated with each generation, since the best would
    be the luckiest.

    Args:
        generations: how many generations.
        population: samples of a generation; None for 4 + floor(3 ln d) with genomes of d numbers.
        sigma: standard deviation of the first generation, above 0.
        covariance: ``full`` adapts the covariance of all numbers of a genome, up to 2,000 of them;
            ``diagonal`` adapts a variance of each number, of genomes of any length.
        active: whether the worse half is used too, with the tutorial's negative weights.

    Raises:
        InputError: for numbers out of range, or an unknown covariance.
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
                f"search.sigma={sigma}: the first step is a standard deviation above 0; write 0.3, "
                "say."
            )
        if covariance not in COVARIANCES:
            hint = nearest(covariance, COVARIANCES) or " Write diagonal or full."
            raise InputError(f"search.covariance={covariance}: no such covariance.{hint}")
        self.steps = generations
        self.population = population
        self.individuals = population or 1
        self.sigma = sigma
        self.diagonal = covariance == "diagonal"
        self.active = active
        self._length = LARGEST  # numbers in a genome; set by `init`

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        genome = problem.project(problem.start(rows) if genome is None else genome, rows)
        mean = genome.flatten(1).double()
        count, self._length = mean.shape
        if not self.diagonal and self._length > LONGEST:
            gigabytes = 2 * 8 * self._length**2 / 1e9  # covariance and basis in float64
            raise InputError(
                f"search.covariance=full: {gigabytes:.2g} GB an item for genomes of {self._length} "
                f"numbers, and time that grows with their cube; {LONGEST} is the most. Write "
                "search.covariance=diagonal, or encoding=dct."
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
            state["basis"] = state["covariance"].clone()
            state["lengths"] = torch.ones_like(mean)
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return self._size(self._length) + stochastic

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        rows = rows.fold_in(step)
        noisy = problem.stochastic
        samples = self.ask(state, rows.fold_in(1))
        if noisy:  # the mean is evaluated with each generation, as sample 0
            samples = torch.cat([state["mean"][:, None], samples], dim=1)
        individuals = rows.fold_in(2).split(samples.shape[1])
        genomes, samples = self._projected(problem, state, samples, individuals)
        evaluation = problem.evaluate(genomes.flatten(0, 1), individuals)
        fitness = evaluation.scores[:, 0].view(samples.shape[:2])
        fitness = fitness.masked_fill(~fitness.isfinite(), -torch.inf)
        generation = {
            "genome": genomes,
            "score": fitness,
            "monitor": evaluation.monitor.view_as(fitness),
        }
        best = self._best(state, generation, noisy)
        state = {**self.tell(state, samples[:, noisy:], fitness[:, noisy:]), **best}
        passes = samples.shape[1] * evaluation.forwards
        forwards = torch.full((len(rows),), passes, dtype=torch.int64, device=fitness.device)
        return state, StepReport(
            genome=state["genome"],
            score=state["score"],
            monitor=state["monitor"],
            forwards=forwards,
            backwards=torch.zeros_like(forwards),
            statistics={
                **_summary(fitness[:, noisy:]),
                "sigma": state["sigma"],
                "axis_ratio": self._ratio(state),
            },
        )

    def _projected(
        self, problem: Problem, state: State, samples: Tensor, individuals: Rows
    ) -> tuple[Genome, Tensor]:
        """Legal genomes [n, p, *shape], and the samples [n, p, d] that they stand for."""
        like = state["genome"]
        drawn = samples.to(like.dtype).view(len(individuals), *like.shape[1:])
        genomes = problem.project(drawn, individuals)
        # the difference, not the genome: where nothing was projected, nothing is rounded
        samples = samples + (genomes - drawn).view_as(samples)
        return genomes.view(*samples.shape[:2], *like.shape[1:]), samples

    def _best(self, state: State, generation: State, noisy: bool) -> State:
        """The best genome so far with its score and monitor; the mean where scores are noisy."""
        fitness = generation["score"]
        leader = torch.zeros_like(state["generation"]) if noisy else fitness.argmax(1)
        before = -torch.inf if noisy else state["score"]
        improved = fitness.gather(1, leader[:, None])[:, 0] > before
        items = torch.arange(len(fitness), device=leader.device)
        return {
            name: _where(improved, value[items, leader], state[name])
            for name, value in generation.items()
        }

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
        """Update the distributions with an evaluated generation.

        Args:
            state: of n items.
            samples: [n, p, d], projected.
            fitness: [n, p], -inf where it is invalid. An item without a valid sample stays as it
                is.

        Returns:
            The new state.
        """
        mean = state["mean"]
        sigma = state["sigma"]
        length = mean.shape[1]
        rate = rates(length, fitness.shape[1], self.diagonal, self.active)
        order = fitness.argsort(dim=1, descending=True, stable=True)[:, : len(rate.weights)]
        valid = fitness.gather(1, order) > -torch.inf
        weights = torch.tensor(rate.weights, dtype=mean.dtype, device=mean.device)
        weights = _valid_weights(weights, valid)
        samples = samples.gather(1, order[..., None].expand(-1, -1, length))
        moves = (samples - mean[:, None]) / sigma[:, None, None]
        move = (weights.clamp_min(0)[..., None] * moves).sum(1)

        path_sigma = self._step_size_path(state, move, rate)
        reach = path_sigma.norm(dim=1) / rate.expected
        exponent = ((reach - 1) * rate.step / rate.damping).clamp_max(1.0)  # (44)
        path, steady = self._covariance_path(state, move, reach, rate)
        updated = {
            "mean": mean + sigma[:, None] * move,
            "sigma": (sigma * exponent.exp()).clamp(self.sigma / FARTHEST, self.sigma * FARTHEST),
            "path": path,
            "path_sigma": path_sigma,
        }
        has_valid = valid[:, 0]
        updated = {name: _where(has_valid, value, state[name]) for name, value in updated.items()}
        updated["covariance"] = self._covariance(
            state, moves, weights, path, steady, has_valid, rate
        )
        state = {**state, **updated, "generation": state["generation"] + 1}
        return state if self.diagonal else _decomposed(state, rate)

    def _step_size_path(self, state: State, move: Tensor, rate: Rates) -> Tensor:
        """The evolution path of the step size, [n, d] (43)."""
        gain = math.sqrt(rate.step * (2 - rate.step) * rate.effective)
        whitened = self._whitened(state, move[:, None])[:, 0]
        return (1 - rate.step) * state["path_sigma"] + gain * whitened

    def _covariance_path(
        self, state: State, move: Tensor, reach: Tensor, rate: Rates
    ) -> tuple[Tensor, Tensor]:
        """The evolution path of the covariance, [n, d] (45), and h_sigma [n].

        h_sigma is 0 where the step size grows so fast that the path is stalled.
        """
        length = move.shape[1]
        warm = (1 - (1 - rate.step) ** (2.0 * (state["generation"] + 1))).sqrt()
        steady = (reach / warm < 1.4 + 2 / (length + 1)).to(move.dtype)
        gain = math.sqrt(rate.path * (2 - rate.path) * rate.effective)
        return (1 - rate.path) * state["path"] + (steady * gain)[:, None] * move, steady

    def _covariance(
        self,
        state: State,
        moves: Tensor,
        weights: Tensor,
        path: Tensor,
        steady: Tensor,
        has_valid: Tensor,
        rate: Rates,
    ) -> Tensor:
        """The covariance after the rank-one and the rank-mu update (46, 47).

        Items without a valid sample (`has_valid` [n]) keep theirs.
        """
        factors = weights
        if self.active:
            squares = self._whitened(state, moves).square().sum(2).clamp_min(1e-300)
            factors = torch.where(weights < 0, weights * moves.shape[2] / squares, weights)
        rank_one = rate.rank_one * has_valid[:, None].to(moves.dtype)
        factors = torch.cat([rate.rank_mu * factors, rank_one], dim=1)
        lost = rate.rank_one + rate.rank_mu * weights.sum(1)
        share = 1 - lost + (1 - steady) * rate.rank_one * rate.path * (2 - rate.path)
        vectors = torch.cat([moves, path[:, None]], dim=1)
        return self._updated(state["covariance"], share.where(has_valid, 1.0), factors, vectors)

    def _size(self, length: int) -> int:
        return self.population or 4 + int(3 * math.log(length))

    def _updated(
        self, covariance: Tensor, share: Tensor, factors: Tensor, vectors: Tensor
    ) -> Tensor:
        """`share` [n] of each covariance, plus the outer products of `vectors` times `factors`.

        `vectors` are [n, m, d] and `factors` [n, m].
        """
        factors = factors[..., None]
        if self.diagonal:
            grown = share[:, None] * covariance + (factors * vectors.square()).sum(1)
            return grown.clamp_min(grown.amax(1, keepdim=True) / STEEPEST)
        products = _products((factors * vectors).mT, vectors)
        return products.addcmul_(covariance, share[:, None, None])

    def _whitened(self, state: State, moves: Tensor) -> Tensor:
        """C^(-1/2) times each of `moves` [n, m, d]."""
        if self.diagonal:
            return moves / state["covariance"].sqrt()[:, None]
        return _products(
            _products(moves, state["basis"]) / state["lengths"][:, None], state["basis"].mT
        )

    def _ratio(self, state: State) -> Tensor:
        """The ratio of the longest axis of each distribution to its shortest, [n]."""
        lengths = state["covariance"].sqrt() if self.diagonal else state["lengths"]
        return lengths.amax(1) / lengths.amin(1)


def _valid_weights(weights: Tensor, valid: Tensor) -> Tensor:
    """The `weights` [m] of the ranks for each item, [n, m].

    Those of invalid samples are 0, and the other positive ones are scaled to a sum of 1.
    """
    weights = weights * valid
    shares = weights.clamp_min(0)
    total = shares.sum(1, keepdim=True)
    return torch.where(weights > 0, shares / total.where(total > 0, 1.0), weights)


def _decomposed(state: State, rate: Rates) -> State:
    """`state` with its eigenbasis, renewed before the covariance can change by more than a tenth.

    The tutorial's section B.2. An eigendecomposition costs d^3, the rest of a step d^2 a sample.
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
    """Eigenvalues [n, d], ascending, and eigenvectors [n, d, d] of symmetric `matrices`.

    An item's bits do not depend on the batch, as in `_products`. The results are laid out by rows,
    as a checkpoint has them: the layout too decides the last bits of a product.
    """
    if matrices.device.type != "cpu":
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors.contiguous()
    pairs = [torch.linalg.eigh(matrix.clone()) for matrix in matrices]
    values = torch.stack([pair[0] for pair in pairs])
    return values, torch.stack([pair[1] for pair in pairs])


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Matrix products [n, a, c] of `left` [n, a, b] and `right` [n, b, c], bit-equal in any batch.

    On a CPU, the last bits of a product depend on the memory alignment of the matrices; that of
    copies is always the same.
    """
    if left.device.type != "cpu":
        return left @ right
    pairs = zip(left, right, strict=True)
    return torch.stack([first.clone() @ second.clone() for first, second in pairs])


def _where(chosen: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """`new` [n, ...] in the rows where `chosen` [n] is True, else `old`."""
    return torch.where(chosen.view(-1, *[1] * (new.ndim - 1)), new, old)


def _summary(fitness: Tensor) -> dict[str, Tensor]:
    """Statistics [n] of a generation [n, p]; mean and std are those of its valid samples, or 0."""
    valid = fitness > -torch.inf
    count = valid.sum(1).clamp_min(1)
    mean = fitness.masked_fill(~valid, 0.0).sum(1) / count
    difference = (fitness - mean[:, None]).masked_fill(~valid, 0.0)
    return {
        "max": fitness.amax(1),
        "mean": mean,
        "std": (difference.square().sum(1) / count).sqrt(),
        "invalid": (~valid).sum(1),
    }
