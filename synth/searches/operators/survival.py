"""Survivor selection: (mu + lambda), (mu, lambda), generational with elitism, and steady state."""

from __future__ import annotations

from dataclasses import dataclass

from synth.core import Rows, State, Survival
from synth.errors import InputError
from synth.searches.operators._populations import fittest, ranked


@dataclass(frozen=True)
class MuPlusLambda(Survival):
    """(mu + lambda): the fittest of parents and offspring together survive.

    Args:
        offspring: lambda, the offspring of a generation; None for as many as parents.

    Raises:
        InputError: for fewer than 1 offspring.
    """

    offspring: int | None = None

    elitist = True

    def __post_init__(self) -> None:
        _check_offspring(self.offspring)

    def offspring_count(self, population: int) -> int:
        return self.offspring or population

    def __call__(self, parents: State, offspring: State, rows: Rows) -> State:
        size = parents["fitness"].shape[1]
        return fittest(parents, size, offspring, size)


@dataclass(frozen=True)
class MuCommaLambda(Survival):
    """(mu, lambda): the fittest of the offspring survive, and no parent does.

    Args:
        offspring: lambda, the offspring of a generation, at least as many as parents; None for
            twice as many.

    Raises:
        InputError: for fewer than 1 offspring, or (from a search) fewer than parents.
    """

    offspring: int | None = None

    elitist = False

    def __post_init__(self) -> None:
        _check_offspring(self.offspring)

    def offspring_count(self, population: int) -> int:
        count = self.offspring or 2 * population
        if count < population:
            raise InputError(
                f"search.survive.offspring={count}: below the population of {population}, "
                "which dies; write more."
            )
        return count

    def __call__(self, parents: State, offspring: State, rows: Rows) -> State:
        return ranked(offspring, parents["fitness"].shape[1])


@dataclass(frozen=True)
class Generational(Survival):
    """Generational replacement with elitism (Holland 1975): offspring replace all but the elite.

    Args:
        elites: how many of the fittest parents survive whatever their offspring are.

    Raises:
        InputError: for fewer than 0 elites, or (from a search) as many as parents.
    """

    elites: int = 1

    def __post_init__(self) -> None:
        if self.elites < 0:
            raise InputError(f"search.survive.elites={self.elites}: write 0 or more.")

    @property
    def elitist(self) -> bool:
        """Whether the best individual so far always survives."""
        return self.elites > 0

    def offspring_count(self, population: int) -> int:
        if self.elites >= population:
            raise InputError(
                f"search.survive.elites={self.elites}: write fewer than the population of "
                f"{population}, or a larger search.population."
            )
        return population - self.elites

    def __call__(self, parents: State, offspring: State, rows: Rows) -> State:
        size = parents["fitness"].shape[1]
        return fittest(parents, self.elites, offspring, size)


@dataclass(frozen=True)
class SteadyState(Survival):
    """Steady state (Syswerda 1989): a few offspring at a time replace the least fit parents.

    Args:
        offspring: the offspring of a generation, fewer than parents.

    Raises:
        InputError: for fewer than 1 offspring, or (from a search) as many as parents.
    """

    offspring: int = 2

    elitist = True

    def __post_init__(self) -> None:
        _check_offspring(self.offspring)

    def offspring_count(self, population: int) -> int:
        if self.offspring >= population:
            raise InputError(
                f"search.survive.offspring={self.offspring}: write fewer than the population of "
                f"{population}, or a larger search.population."
            )
        return self.offspring

    def __call__(self, parents: State, offspring: State, rows: Rows) -> State:
        size = parents["fitness"].shape[1]
        survivors = size - offspring["fitness"].shape[1]
        return fittest(parents, survivors, offspring, size)


def _check_offspring(offspring: int | None) -> None:
    if offspring is not None and offspring < 1:
        raise InputError(f"search.survive.offspring={offspring}: write 1 or more children.")
