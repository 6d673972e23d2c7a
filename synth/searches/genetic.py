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

from synth.core import Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError
from synth.searches._variation import check, mutated, partners, statistics
from synth.searches.operators.combined_mutation import later
from synth.searches.operators.crossover import NoCrossover
from synth.searches.operators.survival import MuPlusLambda, Survival, ranked, taken


class Fitness(base.Fitness):
    """DEAP's fitness of one value to be maximised."""

    weights = (1.0,)


class Individual:
    """A genome with its fitness, as DEAP's hall of fame keeps it."""

    def __init__(self, genome: Tensor, fitness: float) -> None:
        self.genome, self.fitness = genome, Fitness((fitness,))


class Genetic(Search):
    """A population of `population` for every item, `generations` long, by any scheme of survival.

    `select` chooses parents, `mate` crosses neighbours, `mutate` changes the children, `survive` says who lives on;
    by default (mu + lambda). A mutation that `adapts` finds with every individual how strong it is there, and
    children inherit that. With `islands` a population lives in so many parts that mate apart; every `migrate`
    generations the best of each takes the place of the next one's worst.

    Where scores are noisy (random transforms), parents are evaluated again, or the luckiest would win. A fitness
    that is not a number, or infinite, never wins and is counted in the statistics as ``invalid``.
    """

    def __init__(
        self,
        select: Callable[..., Tensor],
        mate: Callable[..., Tensor],
        mutate: Callable[..., Tensor],
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
                f"search.islands={islands}: the population of {population} has to divide into islands of one size."
            )
        if migrate < 1:
            raise InputError(f"search.migrate={migrate}: write 1 or more generations.")
        self.steps, self.population = (
            generations + 1,
            population,
        )  # step 0 evaluates the first population
        self.islands, self.migrate = islands, migrate
        self.survive: Survival = survive or MuPlusLambda()
        self.brood = self.survive.brood(population // islands)  # children of an island
        self.adapts = bool(getattr(mutate, "adapts", False))
        self.crosses = not isinstance(mate, NoCrossover)
        self.toolbox = base.Toolbox()
        self.toolbox.register("select", select)
        self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)
        self.statistics = statistics()

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        crowd = rows.split(self.population)
        if genome is None:
            genomes = problem.start(crowd)
        else:  # the given genome leads a population of its mutants
            genomes = self.toolbox.mutate(
                genome[:, None].repeat_interleave(self.population, 1), rows
            )
            genomes[:, 0] = genome
            genomes = problem.project(genomes.flatten(0, 1), crowd)
        check(self.toolbox.mutate.func, genomes[0])
        genomes = genomes.unflatten(0, (len(rows), self.population))
        unknown = torch.full((len(rows), self.population), -torch.inf, device=genomes.device)
        identity = (
            torch.arange(self.population, device=genomes.device).expand(len(rows), -1).clone()
        )
        state = {
            "population": genomes,
            "fitness": unknown,
            "monitor": torch.zeros_like(unknown),
            "id": identity,
        }
        if self.adapts:
            state["strength"] = torch.ones_like(unknown)
        if not self.survive.elitist:  # the best so far may die, and is kept apart
            state |= {
                f"champion.{name}": state[name][:, :1].clone()
                for name in ("population", "fitness", "monitor")
            }
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        first = self.population  # step 0 evaluates all, whatever a generation has
        return max(first, self.islands * self.brood + (self.population if stochastic else 0))

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        rows = rows.fold_in(step)
        champion = {name: state[f"champion.{name}"] for name in ("population", "fitness", "monitor")
                    if f"champion.{name}" in state}  # fmt: skip
        crowd = {name: value for name, value in state.items() if not name.startswith("champion.")}
        if step == 0:
            crowd, spent, invalid = self._evaluated(problem, rows, crowd)
            crowd = self._ordered(crowd)
            births = _births(rows, crowd, crowd["id"], torch.full_like(crowd["id"], -1), first=0)
        else:
            crowd, spent, invalid, births = self._generation(problem, rows, crowd, step)
        best = crowd["fitness"].argmax(
            1, keepdim=True
        )  # islands stand side by side: the best is anywhere
        leader = {name: taken(crowd[name], best) for name in ("population", "fitness", "monitor")}
        if champion and not problem.stochastic:
            better = leader["fitness"] > champion["fitness"]
            leader = {
                name: torch.where(
                    better.view(-1, 1, *[1] * (value.ndim - 2)), value, champion[name]
                )
                for name, value in leader.items()
            }
        passes = torch.full((len(rows),), spent, dtype=torch.int64, device=rows.item.device)
        if champion:
            crowd |= {f"champion.{name}": value for name, value in leader.items()}
        return crowd, StepReport(
            genome=leader["population"][:, 0],
            score=leader["fitness"][:, 0],
            monitor=leader["monitor"][:, 0],
            forwards=passes,
            backwards=torch.zeros_like(passes),
            statistics=self.statistics.compile([crowd["fitness"]]) | {"invalid": invalid},
            births=births,
        )

    def hall_of_fame(self, state: State, item: int, most: int = 8) -> tools.HallOfFame:
        """The `most` fittest of an item's population as DEAP's `HallOfFame` of `Individual`."""
        hall = tools.HallOfFame(
            most, similar=lambda one, other: torch.equal(one.genome, other.genome)
        )
        order = state["fitness"][item].argsort(descending=True, stable=True)[:most]
        best = zip(
            state["population"][item, order], state["fitness"][item, order].tolist(), strict=True
        )
        hall.update([Individual(genome, fitness) for genome, fitness in best])
        return hall

    def _generation(
        self, problem: Problem, rows: Rows, crowd: State, step: int
    ) -> tuple[State, int, Tensor, Tensor]:
        """Parents, children, survivors: the next crowd, passes an item, invalid children [n], births."""
        items, apart = len(rows), rows.split(self.islands) if self.islands > 1 else rows
        parents, spent, invalid = (
            crowd,
            0,
            torch.zeros(items, dtype=torch.int64, device=rows.item.device),
        )
        if problem.stochastic:
            parents, spent, invalid = self._evaluated(problem, rows, crowd)
            parents = self._ordered(parents)
        parents = {name: self._split(value) for name, value in parents.items()}
        chosen = self.toolbox.select(parents["fitness"], self.brood, apart.fold_in(1))
        children = self.toolbox.mate(taken(parents["population"], chosen), apart.fold_in(2))
        brood: State = {}
        strength = taken(parents["strength"], chosen) if self.adapts else None
        mutate = later(self.toolbox.mutate.func, step)
        children, strength = mutated(mutate, children, apart.fold_in(3), strength, apart.fold_in(5))
        whole = (
            children.unflatten(0, (items, self.islands)).flatten(1, 2)
            if self.islands > 1
            else children
        )
        litter = rows.split(whole.shape[1])
        brood["population"] = problem.project(whole.flatten(0, 1), litter).view_as(whole)
        first = self.population + (step - 1) * whole.shape[1]
        brood["id"] = torch.arange(first, first + whole.shape[1], device=whole.device).expand(
            items, -1
        )
        if strength is not None:
            brood["strength"] = strength.view(items, -1)
        found, born, unfit = self._evaluated(problem, rows.fold_in(4), brood)
        alternatives = {
            name: found[name].reshape(len(apart), self.brood, *found[name].shape[2:])
            for name in parents
        }
        following = self.survive(parents, alternatives)
        if self.islands > 1 and step % self.migrate == 0:
            following = self._migrated(following)
        following = {
            name: value.reshape(items, self.population, *value.shape[2:])
            for name, value in following.items()
        }
        of = taken(parents["id"], chosen)
        born_of = torch.stack([of, partners(of, self.crosses)], dim=2).view(
            items, whole.shape[1], 2
        )
        return (
            following,
            spent + born,
            invalid + unfit,
            _births(rows, following, born_of[..., 0], born_of[..., 1], first),
        )

    def _evaluated(self, problem: Problem, rows: Rows, crowd: State) -> tuple[State, int, Tensor]:
        """`crowd` with the fitness of its individuals, the passes an item that took, how many were invalid, [n]."""
        population = crowd["population"]
        self.toolbox.register("evaluate", problem.evaluate)
        found = self.toolbox.evaluate(population.flatten(0, 1), rows.split(population.shape[1]))
        fitness = found.scores[:, 0].view(population.shape[:2])
        valid = fitness.isfinite()
        whole = crowd | {
            "fitness": fitness.masked_fill(~valid, -torch.inf),
            "monitor": found.monitor.view_as(fitness),
        }
        return whole, found.forwards * population.shape[1], (~valid).sum(1)

    def _ordered(self, crowd: State) -> State:
        """A whole population with the best of each island first."""
        parts = ranked(
            {name: self._split(value) for name, value in crowd.items()},
            self.population // self.islands,
        )
        return {name: value.reshape(crowd[name].shape) for name, value in parts.items()}

    def _split(self, value: Tensor) -> Tensor:
        """[n, population, ...] as [n * islands, population of an island, ...]."""
        return value.reshape(
            len(value) * self.islands, self.population // self.islands, *value.shape[2:]
        )

    def _migrated(self, crowd: State) -> State:
        """The best of each island in the place of the worst of the next; both stay ranked."""
        guests = {
            name: value.unflatten(0, (-1, self.islands))[:, :, :1].roll(1, 1)
            for name, value in crowd.items()
        }
        return ranked(
            {
                name: torch.cat([crowd[name][:, :-1], guests[name].flatten(0, 1)], dim=1)
                for name in crowd
            },
            self.population // self.islands,
        )


def _births(rows: Rows, crowd: State, parents: Tensor, mates: Tensor, first: int) -> Tensor:
    """Item, child, parent and mate of those in `crowd` whose id is `first` or more: those born now, int64 [b, 4].

    Who migrates as soon as born lives on two islands, but was born once.
    """
    identity = crowd["id"]
    item, place = (identity >= first).nonzero(as_tuple=True)
    child = identity[item, place]
    if first == 0:  # nobody bore the first generation
        none = torch.full_like(child, -1)
        return torch.stack([rows.item[item], child, none, none], dim=1)
    born = child - first
    return torch.stack(
        [rows.item[item], child, parents[item, born], mates[item, born]], dim=1
    ).unique(dim=0)


def logbook(records: Iterable[Mapping[str, Any]]) -> tools.Logbook:
    """DEAP's `Logbook` of a run from the records of its ``steps.jsonl``: gen, nevals and the statistics."""
    book = tools.Logbook()
    before = 0
    for record in records:
        numbers = record.get("statistics", {})
        book.record(gen=record["step"], nevals=record["forwards"] - before, **numbers)
        before = record["forwards"]
    return book
