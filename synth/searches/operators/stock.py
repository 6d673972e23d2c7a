"""Adapters of the stock operators of ``deap.tools``, by name.

DEAP's operators expect Python lists (on rows of a tensor ``cxTwoPoint`` copies instead of
exchanging and ``mutFlipBit`` raises) and draw from the global `random`, a few from NumPy's
generator. Here the population of each item is converted to lists, with both generators seeded from
the item's key and restored afterwards, so that the same command gives the same image and an item
draws the same alone and in any batch. That takes a Python step a gene: seconds a generation where
genomes are images. Genes that are all whole numbers are converted to int, so bits are 0 and 1.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from deap import base, tools
from torch import Tensor

from synth.core import Crossover, Mutation, Rows, Selection
from synth.errors import InputError, nearest
from synth.searches.operators._ranges import check_share

TOURNAMENT = "selTournament"
PROPORTIONAL = ("selRoulette", "selStochasticUniversalSampling")
WRONG = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class StockSelection(Selection):
    """Any selection of ``deap.tools``, for individuals that have a fitness and no genes.

    Invalid individuals (whose fitness is not finite) are left out, unless there are no others.

    Args:
        name: as in ``deap.tools``.
        arguments: its keyword arguments; None for those of a tournament of 3, or none.

    Raises:
        InputError: for an unknown name or wrong arguments, and where the operator does not suit
            the fitness: a roulette does not where one is negative.
    """

    def __init__(self, name: str = TOURNAMENT, arguments: Mapping[str, Any] | None = None) -> None:
        self.name = name
        if arguments is None:
            arguments = {"tournsize": 3} if name == TOURNAMENT else {}
        self.arguments = dict(arguments)
        self.operator = _operator("search.select", "sel", name, self.arguments, 2)

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        chosen = []
        for values, key in zip(fitness.tolist(), rows.key.tolist(), strict=True):
            valid = [place for place, value in enumerate(values) if np.isfinite(value)]
            candidates = [_Candidate(place, values[place]) for place in valid]
            candidates = candidates or [_Candidate(place, 0.0) for place in range(len(values))]
            if self.name in PROPORTIONAL and min(values[place] for place in valid or [0]) < 0:
                raise InputError(
                    f"search.select.name={self.name}: needs a fitness of 0 or more, and a log "
                    "probability is below; write search/select=roulette, which shifts them, or "
                    "search.select.name=selTournament."
                )
            with seeded(key), _in_one_line("search.select", self.name):
                parents = self.operator(candidates, count, **self.arguments)
            if len(parents) != count:
                raise InputError(
                    f"search.select.name={self.name}: chose {len(parents)} of {count} parents; it "
                    "does not suit these fitnesses."
                )
            chosen.append([parent.place for parent in parents])
        return torch.tensor(chosen, dtype=torch.int64, device=fitness.device)


class StockCrossover(Crossover):
    """Any crossover of ``deap.tools``, on flattened genomes.

    Args:
        name: as in ``deap.tools``.
        rate: the share in [0, 1] of the pairs that are crossed.
        arguments: its keyword arguments.

    Raises:
        InputError: for an unknown name or wrong arguments.
    """

    def __init__(
        self,
        name: str = "cxTwoPoint",
        rate: float = 1.0,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        check_share("search.mate.rate", rate)
        self.name = name
        self.rate = rate
        self.arguments = dict(arguments or {})
        self.operator = _operator("search.mate", "cx", name, self.arguments, 2)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        children = []
        crossed = self.crossed(genomes.shape[1], rows).tolist()
        populations = zip(_lists(genomes), crossed, rows.key.tolist(), strict=True)
        for population, pairs, key in populations:
            with seeded(key), _in_one_line("search.mate", self.name):
                for first, second, is_crossed in zip(
                    population[0::2], population[1::2], pairs, strict=False
                ):
                    random.random()  # the place of a draw of earlier versions
                    if is_crossed:
                        first[:], second[:] = self.operator(first, second, **self.arguments)
            children.append(population)
        return _genomes(children, genomes, f"search.mate.name={self.name}")


class StockMutation(Mutation):
    """Any mutation of ``deap.tools``, on flattened genomes.

    A strength multiplies the argument ``sigma``, or else ``indpb``, up to 1.

    Args:
        name: as in ``deap.tools``.
        arguments: its keyword arguments.

    Raises:
        InputError: for an unknown name or wrong arguments.
    """

    def __init__(
        self, name: str = "mutShuffleIndexes", arguments: Mapping[str, Any] | None = None
    ) -> None:
        self.name = name
        self.arguments = dict(arguments or {})
        self.operator = _operator("search.mutate", "mut", name, self.arguments, 1)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        strengths = [[None] * genomes.shape[1]] * len(genomes)
        if strength is not None:
            strengths = strength.tolist()
        mutants = []
        populations = zip(_lists(genomes), strengths, rows.key.tolist(), strict=True)
        for population, factors, key in populations:
            with seeded(key), _in_one_line("search.mutate", self.name):
                for genes, factor in zip(population, factors, strict=True):
                    (genes[:],) = self.operator(genes, **self._scaled(factor))
            mutants.append(population)
        return _genomes(mutants, genomes, f"search.mutate.name={self.name}")

    def _scaled(self, factor: float | None) -> dict[str, Any]:
        """The arguments with sigma, or else indpb, multiplied by a strength."""
        if factor is None:
            return self.arguments
        if isinstance(self.arguments.get("sigma"), int | float):
            return {**self.arguments, "sigma": self.arguments["sigma"] * factor}
        if "indpb" in self.arguments:
            return {**self.arguments, "indpb": min(1.0, self.arguments["indpb"] * factor)}
        raise InputError(
            f"search.mutate.name={self.name}: has neither sigma nor indpb, so nothing there can "
            "adapt."
        )


class _Fitness(base.Fitness):
    weights = (1.0,)


class _Candidate:
    """An individual for DEAP's selections: its position and its fitness."""

    def __init__(self, place: int, fitness: float) -> None:
        self.place = place
        self.fitness = _Fitness((fitness,))


class _Genes(list):
    """An individual for DEAP's crossovers and mutations: a list of genes."""


def _operator(
    word: str, prefix: str, name: str, arguments: dict[str, Any], positional: int
) -> Callable[..., Any]:
    """DEAP's operator of that name.

    Args:
        word: the key of the operator in the configuration.
        prefix: what the names of DEAP's operators of that kind begin with.
        name: as the user wrote it.
        arguments: keyword arguments of the user's.
        positional: how many arguments come before those.

    Raises:
        InputError: where there is no such operator, or it cannot be called with `arguments`.
    """
    names = [
        entry
        for entry in dir(tools)
        if entry.startswith(prefix) and callable(getattr(tools, entry))
    ]
    if name not in names:
        hint = nearest(name, names) or f" There are {', '.join(names)}."
        raise InputError(f"{word}.name={name}: DEAP has no such operator.{hint}")
    operator: Callable[..., Any] = getattr(tools, name)
    parameters = list(inspect.signature(operator).parameters.values())[positional:]
    keywords = [parameter.name for parameter in parameters]
    for key in arguments:
        if key not in keywords:
            hint = f" It takes {', '.join(keywords)}." if keywords else " It takes none."
            raise InputError(f"{word}.arguments.{key}: {name} takes no such value.{hint}")
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in arguments:
            raise InputError(
                f"{word}.name={name}: needs {parameter.name}; write "
                f"+{word}.arguments.{parameter.name}=..."
            )
    if "indpb" in arguments and isinstance(arguments["indpb"], int | float):
        check_share(f"{word}.arguments.indpb", arguments["indpb"])
    return operator


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Both global generators are seeded with `key` in the block, and restored after it."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the generator that DEAP uses
    random.seed(key)
    np.random.seed(key % (1 << 32))  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextmanager
def _in_one_line(word: str, name: str) -> Iterator[None]:
    """InputError of one line in place of DEAP's traceback, where an operator fails."""
    try:
        yield
    except WRONG as error:
        raise InputError(
            f"{word}.name={name}: DEAP's operator fails here with these arguments "
            f"({type(error).__name__}: {error})."
        ) from error


def _lists(genomes: Tensor) -> list[list[_Genes]]:
    """`genomes` [n, p, *shape] as lists: int where all genes are whole, else float or bool."""
    populations = []
    for population in genomes.flatten(2):
        if population.is_floating_point() and torch.equal(population, population.round()):
            population = population.long()
        populations.append([_Genes(genes) for genes in population.tolist()])
    return populations


def _genomes(populations: list[list[_Genes]], like: Tensor, word: str) -> Tensor:
    """The inverse of `_lists`: a tensor of the shape and dtype of `like`."""
    length = like[0, 0].numel()
    if any(len(genes) != length for population in populations for genes in population):
        raise InputError(f"{word}: changes the number of genes; a genome here keeps its {length}.")
    return torch.tensor(populations, dtype=like.dtype, device=like.device).view_as(like)
