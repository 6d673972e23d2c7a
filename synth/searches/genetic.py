"""The genetic algorithm: a population an item, with any scheme of survivor selection and islands.

It is written in DEAP's terms: a `Toolbox` holds `select`, `mate`, `mutate` and `evaluate`,
`Statistics` sums up each generation, `Logbook` and `HallOfFame` are built from what a run leaves.
It departs from DEAP in the size of the unit: an operator changes the populations of all items at
once, and the network evaluates a whole generation of all items as one batch.

Populations are dicts of tensors [n, p, ...]: ``population`` (the genomes), ``fitness``,
``monitor``, ``id`` and, where the mutation is self-adaptive, ``strength``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from deap import base, tools
from torch import Tensor

from synth.core import (
    Crossover,
    Genome,
    Mutation,
    Problem,
    Rows,
    Search,
    Selection,
    State,
    StepReport,
    Survival,
)
from synth.core.lineage import NO_CHILD, NO_PARENT
from synth.errors import InputError
from synth.searches._variation import mates, mutated, register_suited, statistics
from synth.searches.operators._populations import ranked, take
from synth.searches.operators.survival import MuPlusLambda

# streams of random numbers within a generation
SELECT = 1
MATE = 2
MUTATE = 3
EVALUATE = 4
ADAPT = 5
SURVIVE = 6

CHAMPION = "champion."  # prefix of the state of the best so far
REPORTED = ("population", "fitness", "monitor")  # what is reported of the fittest individual


class Fitness(base.Fitness):
    """DEAP's fitness of one value to be maximised."""

    weights = (1.0,)


class Individual:
    """A genome with its fitness, as DEAP's hall of fame holds it.

    Args:
        genome: [*shape].
        fitness: its fitness, higher is better.
    """

    def __init__(self, genome: Tensor, fitness: float) -> None:
        self.genome = genome
        self.fitness = Fitness((fitness,))


@dataclass
class _Generation:
    """One generation: the population, its births [b, 4], and what its evaluation took.

    `forwards` counts images passed through the network for each item; `invalid` [n] counts the
    individuals whose fitness is not finite.
    """

    population: State
    births: Tensor
    forwards: int
    invalid: Tensor


class Genetic(Search):
    """A genetic algorithm with a population for every item.

    A generation selects parents, crosses neighbours, mutates the offspring, evaluates them, and
    lets `survive` choose the next generation among parents and offspring. Where scores are noisy
    (random transforms), parents are evaluated again in each generation, since otherwise the
    luckiest would survive. A fitness that is not finite never wins and is counted in the statistics
    as ``invalid``. Where the scheme is not elitist, the best individual so far (the champion) is
    stored apart and reported.

    Args:
        select: parent selection.
        mate: crossover.
        mutate: mutation. Where it is self-adaptive, every individual carries a strength, which its
            offspring inherit.
        generations: how many generations follow the initial population, which is step 0.
        population: individuals of each item.
        survive: survivor selection; (mu + lambda) where None.
        islands: parts of equal size into which each population is divided and which mate apart.
        migrate: after so many generations the fittest individual of each island replaces the least
            fit one of the next island.

    Raises:
        InputError: for numbers out of range, or a scheme that does not fit the island's size.
    """

    def __init__(
        self,
        select: Selection,
        mate: Crossover,
        mutate: Mutation,
        generations: int = 100,
        population: int = 64,
        survive: Survival | None = None,
        islands: int = 1,
        migrate: int = 10,
    ) -> None:
        if generations < 1:
            raise InputError(f"search.generations={generations}: write 1 or more.")
        if population < 1:
            raise InputError(f"search.population={population}: write 1 or more.")
        if islands < 1 or population % islands:
            raise InputError(
                f"search.islands={islands}: the population of {population} has to divide into "
                "islands of one size."
            )
        if migrate < 1:
            raise InputError(f"search.migrate={migrate}: write 1 or more generations.")
        self.steps = generations + 1  # step 0 evaluates the initial population
        self.population = population
        self.islands = islands
        self.migrate = migrate
        self.mate = self.crossover = mate
        self.mutate = self.mutation = mutate
        self.survive = survive or MuPlusLambda()
        self.offspring = self.survive.offspring_count(population // islands)  # of an island
        # parents, their copies, and the offspring made of these
        self.individuals = population + 2 * islands * self.offspring
        self.toolbox = base.Toolbox()
        self.toolbox.register("select", select)
        self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)
        self.statistics = statistics()

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        individuals = rows.split(self.population)
        genomes = problem.start(individuals) if genome is None else genome
        self._suit(problem, genomes[0])
        if genome is not None:  # the given genome and mutants of it
            copies = genome[:, None].repeat_interleave(self.population, 1)
            genomes = self.toolbox.mutate(copies, rows)
            genomes[:, 0] = genome
            genomes = problem.project(genomes.flatten(0, 1), individuals)
        self.mutation.check(genomes[0])
        self.crossover.check(genomes[0])
        genomes = genomes.unflatten(0, (len(rows), self.population))
        unknown = torch.full((len(rows), self.population), -torch.inf, device=genomes.device)
        ids = torch.arange(self.population, device=genomes.device)
        state = {
            "population": genomes,
            "fitness": unknown,
            "monitor": torch.zeros_like(unknown),
            "id": ids.expand(len(rows), -1).clone(),
        }
        if self.mutation.self_adaptive:
            state["strength"] = torch.ones_like(unknown)
        if not self.survive.elitist:
            state |= {f"{CHAMPION}{name}": state[name][:, :1].clone() for name in REPORTED}
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        first = self.population  # step 0 evaluates every individual
        parents = self.population if stochastic else 0
        return max(first, self.islands * self.offspring + parents)

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        rows = rows.fold_in(step)
        population = {name: state[name] for name in state if not name.startswith(CHAMPION)}
        self._suit(problem, population["population"][0, 0])
        if step == 0:
            generation = self._first_generation(problem, rows, population)
        else:
            generation = self._next_generation(problem, rows, population, step)
        fittest = _fittest(generation.population)
        new_state = dict(generation.population)
        if not self.survive.elitist:
            if not problem.stochastic:
                champion = {name: state[f"{CHAMPION}{name}"] for name in REPORTED}
                fittest = _fitter(fittest, champion)
            new_state |= {f"{CHAMPION}{name}": value for name, value in fittest.items()}
        return new_state, self._report(rows, generation, fittest)

    def _suit(self, problem: Problem, genome: Genome) -> None:
        """Takes the operators that `mate` and `mutate` stand for with such genomes."""
        self.crossover, self.mutation = register_suited(
            self.toolbox, self.mate, self.mutate, genome, problem.size
        )

    def hall_of_fame(self, state: State, item: int, most: int = 8) -> tools.HallOfFame:
        """The `most` fittest of an item's population as DEAP's `HallOfFame` of `Individual`."""
        hall = tools.HallOfFame(
            most, similar=lambda first, second: torch.equal(first.genome, second.genome)
        )
        order = state["fitness"][item].argsort(descending=True, stable=True)[:most]
        fitness = state["fitness"][item, order].tolist()
        genomes = state["population"][item, order]
        hall.update([Individual(*pair) for pair in zip(genomes, fitness, strict=True)])
        return hall

    def _first_generation(self, problem: Problem, rows: Rows, population: State) -> _Generation:
        population, forwards, invalid = self._evaluated(problem, rows, population)
        population = self._ranked(population)
        births = _births(rows, population["id"], None, None, first=0)
        return _Generation(population, births, forwards, invalid)

    def _next_generation(
        self, problem: Problem, rows: Rows, parents: State, step: int
    ) -> _Generation:
        forwards = 0
        invalid = torch.zeros(len(rows), dtype=torch.int64, device=rows.item.device)
        if problem.stochastic:
            parents, forwards, invalid = self._evaluated(problem, rows, parents)
            parents = self._ranked(parents)
        islands = self._divided(parents)
        island_rows = rows.split(self.islands) if self.islands > 1 else rows

        chosen = self.toolbox.select(
            islands["fitness"], self.offspring, island_rows.fold_in(SELECT)
        )
        children = self._varied(islands, chosen, island_rows, step)
        offspring = self._united(children, len(rows), self.offspring)
        offspring = self._born(problem, rows, offspring, step)
        offspring, spent, unfit = self._evaluated(problem, rows.fold_in(EVALUATE), offspring)

        children = {name: self._island(offspring[name], self.offspring) for name in islands}
        survivors = self.survive(islands, children, island_rows.fold_in(SURVIVE))
        if self.islands > 1 and step % self.migrate == 0:
            survivors = self._migrated(survivors)
        size = self.population // self.islands
        population = self._united(survivors, len(rows), size)

        parent_ids = take(islands["id"], chosen)
        crossed = self.crossover.crossed(self.offspring, island_rows.fold_in(MATE))
        ids = {"parent": parent_ids, "mate": mates(parent_ids, crossed)}
        ids = self._united(ids, len(rows), self.offspring)
        first = self._first_id(step)
        births = _births(rows, population["id"], ids["parent"], ids["mate"], first)
        return _Generation(population, births, forwards + spent, invalid + unfit)

    def _varied(self, islands: State, chosen: Tensor, rows: Rows, step: int) -> State:
        """Crossed and mutated copies of the parents at the positions `chosen` of each island."""
        genomes = take(islands["population"], chosen)
        strength = take(islands["strength"], chosen) if self.mutation.self_adaptive else None
        genomes = self.toolbox.mate(genomes, rows.fold_in(MATE))
        genomes, strength = mutated(
            self.mutation.at(step), genomes, rows.fold_in(MUTATE), strength, rows.fold_in(ADAPT)
        )
        children = {"population": genomes}
        return children if strength is None else children | {"strength": strength}

    def _born(self, problem: Problem, rows: Rows, offspring: State, step: int) -> State:
        """`offspring` with legal genomes and ids of their own."""
        genomes = offspring["population"]
        count = genomes.shape[1]
        legal = problem.project(genomes.flatten(0, 1), rows.split(count)).view_as(genomes)
        first = self._first_id(step)
        ids = torch.arange(first, first + count, device=genomes.device).expand(len(rows), -1)
        return offspring | {"population": legal, "id": ids}

    def _first_id(self, step: int) -> int:
        """The id of the first offspring of a generation, the first generation being step 1."""
        return self.population + (step - 1) * self.islands * self.offspring

    def _evaluated(
        self, problem: Problem, rows: Rows, population: State
    ) -> tuple[State, int, Tensor]:
        """`population` with its fitness, forward passes an item, and invalid individuals [n]."""
        genomes = population["population"]
        self.toolbox.register("evaluate", problem.evaluate)
        evaluation = self.toolbox.evaluate(genomes.flatten(0, 1), rows.split(genomes.shape[1]))
        fitness = evaluation.scores[:, 0].view(genomes.shape[:2])
        valid = fitness.isfinite()
        evaluated = population | {
            "fitness": fitness.masked_fill(~valid, -torch.inf),
            "monitor": evaluation.monitor.view_as(fitness),
        }
        return evaluated, evaluation.forwards * genomes.shape[1], (~valid).sum(1)

    def _ranked(self, population: State) -> State:
        """`population` with the individuals of each island ranked, the fittest first."""
        islands = ranked(self._divided(population), self.population // self.islands)
        return {name: value.reshape(population[name].shape) for name, value in islands.items()}

    def _divided(self, population: State) -> State:
        """Populations [n, population, ...] as islands [n * islands, population / islands, ...]."""
        size = self.population // self.islands
        return {name: self._island(value, size) for name, value in population.items()}

    def _island(self, value: Tensor, size: int) -> Tensor:
        """[n, islands * size, ...] as [n * islands, size, ...]."""
        return value.reshape(len(value) * self.islands, size, *value.shape[2:])

    def _united(self, islands: State, items: int, size: int) -> State:
        """Islands [n * islands, size, ...] as [n, islands * size, ...]."""
        return {
            name: value.reshape(items, self.islands * size, *value.shape[2:])
            for name, value in islands.items()
        }

    def _migrated(self, islands: State) -> State:
        """The fittest of each island in place of the least fit of the next; both stay ranked."""
        migrants = {
            name: value.unflatten(0, (-1, self.islands))[:, :, :1].roll(1, 1).flatten(0, 1)
            for name, value in islands.items()
        }
        settled = {
            name: torch.cat([value[:, :-1], migrants[name]], dim=1)
            for name, value in islands.items()
        }
        return ranked(settled, self.population // self.islands)

    def _report(self, rows: Rows, generation: _Generation, fittest: State) -> StepReport:
        forwards = torch.full(
            (len(rows),), generation.forwards, dtype=torch.int64, device=rows.item.device
        )
        summary = self.statistics.compile([generation.population["fitness"]])
        return StepReport(
            genome=fittest["population"][:, 0],
            score=fittest["fitness"][:, 0],
            monitor=fittest["monitor"][:, 0],
            forwards=forwards,
            backwards=torch.zeros_like(forwards),
            statistics=summary | {"invalid": generation.invalid},
            births=generation.births,
        )


def _fittest(population: State) -> State:
    """The fittest individual of each item, tensors [n, 1, ...]; it may be on any island."""
    best = population["fitness"].argmax(1, keepdim=True)
    return {name: take(population[name], best) for name in REPORTED}


def _fitter(first: State, second: State) -> State:
    """The fitter of two individuals [n, 1, ...] of each item; of equals the second."""
    better = first["fitness"] > second["fitness"]
    return {
        name: torch.where(better.view(-1, 1, *[1] * (value.ndim - 2)), value, second[name])
        for name, value in first.items()
    }


def _births(
    rows: Rows, ids: Tensor, parents: Tensor | None, mate: Tensor | None, first: int
) -> Tensor:
    """Item, child, parent and mate of this generation's offspring, int64 [n * m, 4].

    The child is NO_CHILD for offspring that are not among the survivors, whose ids are `ids`
    [n, p]: a number of rows that depends on who survives would wait for the device.
    `parents` and `mate` [n, m] hold ids by the order of birth; individuals of the initial
    population have none. `first` is the id of the first offspring.
    """
    if parents is None or mate is None:
        parents = mate = torch.full_like(ids, NO_PARENT)
        child = ids
    else:
        count = parents.shape[1]
        born = torch.zeros(len(ids), 1 + count, dtype=torch.bool, device=ids.device)
        born.scatter_(1, (ids - first + 1).clamp_min(0), True)  # place 0 is for older ones
        child = torch.arange(first, first + count, device=ids.device).expand_as(parents)
        child = child.masked_fill(~born[:, 1:], NO_CHILD)
    item = rows.item[:, None].expand_as(child)
    return torch.stack([item, child, parents, mate], dim=2).flatten(0, 1)


def logbook(records: Iterable[Mapping[str, Any]]) -> tools.Logbook:
    """DEAP's `Logbook` (gen, nevals, the statistics) from the records of a ``steps.jsonl``."""
    book = tools.Logbook()
    before = 0
    for record in records:
        numbers = record.get("statistics", {})
        book.record(gen=record["step"], nevals=record["forwards"] - before, **numbers)
        before = record["forwards"]
    return book
