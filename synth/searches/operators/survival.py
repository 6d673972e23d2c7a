"""Who lives on when parents and children stand side by side: the schemes of evolutionary computation.

A scheme says how many children a generation has, and makes of two ranked crowds the next one. A crowd is a dict of
tensors [n, p, ...] in which ``fitness`` [n, p] falls from left to right; of equals the earlier one stays in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from synth.core import State
from synth.errors import InputError


@dataclass(frozen=True)
class MuPlusLambda:
    """(mu + lambda): the best of parents and children together; `offspring` children, as many as parents by default."""

    offspring: int | None = None
    elitist: ClassVar[bool] = True  # the best so far is never lost

    def __post_init__(self) -> None:
        _check_offspring(self.offspring)

    def brood(self, population: int) -> int:
        """How many children a population has."""
        return self.offspring or population

    def __call__(self, parents: State, children: State) -> State:
        """The next generation, as many as there are parents."""
        size = parents["fitness"].shape[1]
        return ranked(_joined(parents, children, size), size)


@dataclass(frozen=True)
class MuCommaLambda:
    """(mu, lambda): the best of the children alone; parents die. `offspring` defaults to twice the parents."""

    offspring: int | None = None
    elitist: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_offspring(self.offspring)

    def brood(self, population: int) -> int:
        """How many children a population has; at least as many as parents, who die."""
        children = self.offspring or 2 * population
        if children < population:
            raise InputError(
                f"search.survive.offspring={children}: below the population of {population}, which dies; write more."
            )
        return children

    def __call__(self, parents: State, children: State) -> State:
        """The next generation, as many as there are parents."""
        return ranked(children, parents["fitness"].shape[1])


@dataclass(frozen=True)
class Generational:
    """Children replace their parents, but for the `elites` best parents (Holland's genetic algorithm with elitism)."""

    elites: int = 1

    def __post_init__(self) -> None:
        if self.elites < 0:
            raise InputError(f"search.survive.elites={self.elites}: write 0 or more.")

    @property
    def elitist(self) -> bool:
        """Whether the best so far is never lost."""
        return self.elites > 0

    def brood(self, population: int) -> int:
        """How many children a population has."""
        if self.elites >= population:
            raise InputError(
                f"search.survive.elites={self.elites}: fewer than the population of {population}, please."
            )
        return population - self.elites

    def __call__(self, parents: State, children: State) -> State:
        """The next generation, as many as there are parents."""
        size = parents["fitness"].shape[1]
        return ranked(_joined(parents, children, self.elites), size)


@dataclass(frozen=True)
class SteadyState:
    """A few children at a time, `offspring`, take the places of the worst (Syswerda 1989)."""

    offspring: int = 2

    def __post_init__(self) -> None:
        _check_offspring(self.offspring)

    elitist: ClassVar[bool] = True

    def brood(self, population: int) -> int:
        """How many children a population has."""
        if self.offspring >= population:
            raise InputError(
                f"search.survive.offspring={self.offspring}: fewer than the population of {population}, please."
            )
        return self.offspring

    def __call__(self, parents: State, children: State) -> State:
        """The next generation, as many as there are parents."""
        size = parents["fitness"].shape[1]
        kept = size - children["fitness"].shape[1]
        return ranked(_joined(parents, children, kept), size)


Survival = MuPlusLambda | MuCommaLambda | Generational | SteadyState


def _joined(parents: State, children: State, kept: int) -> State:
    """The first `kept` of the parents and all children."""
    return {name: torch.cat([parents[name][:, :kept], children[name]], dim=1) for name in parents}


def ranked(crowd: State, most: int) -> State:
    """The `most` fittest of each item, best first; of equals the earlier one, so parents stay."""
    order = crowd["fitness"].argsort(dim=1, descending=True, stable=True)[:, :most]
    return {name: taken(value, order) for name, value in crowd.items()}


def taken(values: Tensor, index: Tensor) -> Tensor:
    """values [n, p, ...] at index [n, m]: [n, m, ...]."""
    return values[torch.arange(len(values), device=values.device)[:, None], index]


def _check_offspring(offspring: int | None) -> None:
    if offspring is not None and offspring < 1:
        raise InputError(f"search.survive.offspring={offspring}: write 1 or more children.")
