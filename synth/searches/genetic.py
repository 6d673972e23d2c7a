"""A genetic algorithm in DEAP's terms, whole generations as one batch, one population an item.

DEAP stays in charge: a `Toolbox` holds `select`, `mate`, `mutate` and `evaluate`, `Statistics` sums up each
generation, `Logbook` and `HallOfFame` are built from what a run leaves. What changes is the size of the unit:
operators take all populations at once, and so does the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from deap import base, tools
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, Step
from synth.errors import InputError


class Fitness(base.Fitness):
    """DEAP's fitness of one value to be maximised."""

    weights = (1.0,)


class Individual:
    """A genome with its fitness, as DEAP's hall of fame keeps it."""

    def __init__(self, genome: Tensor, fitness: float) -> None:
        self.genome, self.fitness = genome, Fitness((fitness,))


class Genetic(Search):
    """`generations` of (mu + lambda): `population` children a generation, the best of parents and children survive.

    `select` chooses parents, `mate` crosses neighbours, `mutate` changes the children. Where scores are noisy
    (random transforms), survivors are evaluated again, or the luckiest would win. A fitness that is not a
    number, or infinite, never wins and is counted in the statistics as ``invalid``.
    """

    def __init__(
        self,
        select: Callable[..., Tensor],
        mate: Callable[..., Tensor],
        mutate: Callable[..., Tensor],
        generations: int = 100,
        population: int = 64,
    ) -> None:
        if generations < 1:
            raise InputError(f"search.generations={generations}: write 1 or more.")
        if population < 1:
            raise InputError(f"search.population={population}: write 1 or more.")
        self.steps, self.population = generations + 1, population  # step 0 evaluates the first population
        self.toolbox = base.Toolbox()
        self.toolbox.register("select", select)
        self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)
        self.statistics = tools.Statistics()
        for name, reduction in REDUCTIONS.items():
            self.statistics.register(name, reduction)

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        crowd = rows.spread(self.population)
        if genome is None:
            genomes = problem.start(crowd)
        else:  # the given genome leads a population of its mutants
            genomes = self.toolbox.mutate(genome[:, None].repeat_interleave(self.population, 1), rows)
            genomes[:, 0] = genome
            genomes = problem.project(genomes.flatten(0, 1), crowd)
        genomes = genomes.unflatten(0, (len(rows), self.population))
        unknown = torch.full((len(rows), self.population), -torch.inf, device=genomes.device)
        return {"population": genomes, "fitness": unknown, "watch": torch.zeros_like(unknown)}

    def passes(self, stochastic: bool) -> int:
        return self.population * (2 if stochastic else 1)

    def step(self, problem: Problem, rows: Rows, state: State, step: int) -> tuple[State, Step]:
        rows = rows.fold(step)
        size = self.population
        if step == 0:
            state, spent = self._evaluated(problem, rows, state)
        else:
            parents, spent = self._evaluated(problem, rows, state) if problem.stochastic else (state, 0)
            chosen = self.toolbox.select(parents["fitness"], size, rows.fold(1))
            children = _take(parents["population"], chosen)
            children = self.toolbox.mutate(self.toolbox.mate(children, rows.fold(2)), rows.fold(3))
            crowd = rows.spread(size)
            children = problem.project(children.flatten(0, 1), crowd).view_as(children)
            brood, born = self._evaluated(problem, rows.fold(4), {"population": children})
            state, spent = self._survivors(parents, brood), spent + born
        leader = torch.zeros(len(rows), 1, dtype=torch.int64, device=rows.item.device)  # sorted: the best is first
        passes = torch.full((len(rows),), spent, dtype=torch.int64, device=rows.item.device)
        return state, Step(
            genome=_take(state["population"], leader)[:, 0],
            score=state["fitness"][:, 0],
            watch=state["watch"][:, 0],
            forwards=passes,
            backwards=torch.zeros_like(passes),
            statistics=self.statistics.compile([state["fitness"]]),
        )

    def hall_of_fame(self, state: State, item: int, most: int = 8) -> tools.HallOfFame:
        """The `most` fittest of an item's population as DEAP's `HallOfFame` of `Individual`."""
        hall = tools.HallOfFame(most, similar=lambda one, other: torch.equal(one.genome, other.genome))
        best = zip(state["population"][item, :most], state["fitness"][item, :most].tolist(), strict=True)
        hall.update([Individual(genome, fitness) for genome, fitness in best])
        return hall

    def _evaluated(self, problem: Problem, rows: Rows, state: State) -> tuple[State, int]:
        """`state` with the fitness of its population, best first, and the passes an item that took."""
        population = state["population"]
        self.toolbox.register("evaluate", problem.evaluate)
        found = self.toolbox.evaluate(population.flatten(0, 1), rows.spread(population.shape[1]))
        fitness = found.scores[:, 0].view(population.shape[:2])
        fitness = fitness.masked_fill(~fitness.isfinite(), -torch.inf)
        whole = {"population": population, "fitness": fitness, "watch": found.watch.view_as(fitness)}
        return _ranked(whole, population.shape[1]), found.forwards * population.shape[1]

    def _survivors(self, parents: State, brood: State) -> State:
        both = {name: torch.cat([parents[name], brood[name]], dim=1) for name in brood}
        return _ranked(both, self.population)


def logbook(records: Iterable[Mapping[str, Any]]) -> tools.Logbook:
    """DEAP's `Logbook` of a run from the records of its ``steps.jsonl``: gen, nevals and the statistics."""
    book = tools.Logbook()
    before = 0
    for record in records:
        numbers = record.get("statistics", {})
        book.record(gen=record["step"], nevals=record["forwards"] - before, **numbers)
        before = record["forwards"]
    return book


def _ranked(state: State, most: int) -> State:
    """The `most` fittest of each item, best first; of equals the earlier one, so parents stay."""
    order = state["fitness"].argsort(dim=1, descending=True, stable=True)[:, :most]
    return {name: _take(value, order) for name, value in state.items()}


def _take(values: Tensor, index: Tensor) -> Tensor:
    """values [n, p, ...] at index [n, m]: [n, m, ...]."""
    return values[torch.arange(len(values), device=values.device)[:, None], index]


def _mean(fitness: Tensor) -> Tensor:
    """The mean [n] of the valid fitnesses [n, p]; 0 where none is."""
    valid = fitness.isfinite()
    return fitness.masked_fill(~valid, 0.0).sum(1) / valid.sum(1).clamp_min(1)


def _deviation(fitness: Tensor) -> Tensor:
    away = (fitness - _mean(fitness)[:, None]).masked_fill(~fitness.isfinite(), 0.0)
    return (away.square().sum(1) / fitness.isfinite().sum(1).clamp_min(1)).sqrt()


# DEAP's Statistics maps over what it is given: here one object, the fitness of all populations [n, p]
REDUCTIONS: dict[str, Callable[[tuple[Tensor]], Tensor]] = {
    "max": lambda one: one[0].amax(1),
    "mean": lambda one: _mean(one[0]),
    "min": lambda one: one[0].amin(1),
    "std": lambda one: _deviation(one[0]),
    "invalid": lambda one: one[0].isneginf().sum(1),
}
