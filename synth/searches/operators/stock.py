"""Takes the name of any operator in ``deap.tools``; gives it as one of ours: DEAP's own code, one list at a time.

DEAP's operators expect Python lists (on rows of a tensor ``cxTwoPoint`` copies instead of exchanging and
``mutFlipBit`` raises) and draw from the global `random`, a few from numpy's. Here each item is handed over as
lists, with both generators seeded from the item's key and put back afterwards, so that the same command gives
the same picture and an item draws alone what it draws in a batch. That takes a Python step a gene: seconds a
generation where genomes are pictures. Genes that are all whole numbers arrive as int, so bits are 0 and 1.
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

from synth.core import Rows
from synth.errors import InputError, nearest
from synth.searches.operators._ranges import check_share

WRONG = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class StockSelection:
    """Any selection of ``deap.tools`` by `name`, with its `arguments`; individuals have a fitness and no genes.

    Invalid individuals (whose fitness is no finite number) are not shown to it, unless there are no others.
    """

    def __init__(
        self, name: str = "selRoulette", arguments: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.arguments = name, dict(arguments or {})
        self.operator = _operator("search.select", "sel", name, self.arguments, 2)

    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Positions int64 [n, count] of the chosen in `fitness` [n, p]."""
        chosen = []
        for values, key in zip(fitness.tolist(), rows.key.tolist(), strict=True):
            valid = [place for place, value in enumerate(values) if np.isfinite(value)]
            crowd = [_Candidate(place, values[place]) for place in valid]
            crowd = crowd or [_Candidate(place, 0.0) for place in range(len(values))]
            with chance_of(key), _told("search.select", self.name):
                found = self.operator(crowd, count, **self.arguments)
            if len(found) != count:
                raise InputError(
                    f"search.select.name={self.name}: chose {len(found)} of {count} parents; it does not suit "
                    "these fitnesses."
                )
            chosen.append([one.place for one in found])
        return torch.tensor(chosen, dtype=torch.int64, device=fitness.device)


class StockCrossover:
    """Any crossover of ``deap.tools`` by `name`, with its `arguments`, on flattened genomes.

    Neighbours 0-1, 2-3, ... mate with probability `rate`; the odd one out stays as it is.
    """

    def __init__(
        self,
        name: str = "cxTwoPoint",
        rate: float = 1.0,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        check_share("search.mate.rate", rate)
        self.name, self.rate, self.arguments = name, rate, dict(arguments or {})
        self.operator = _operator("search.mate", "cx", name, self.arguments, 2)

    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        children = []
        for crowd, key in zip(_lists(genomes), rows.key.tolist(), strict=True):
            with chance_of(key), _told("search.mate", self.name):
                for one, other in zip(crowd[0::2], crowd[1::2], strict=False):
                    if random.random() < self.rate:
                        one[:], other[:] = self.operator(one, other, **self.arguments)
            children.append(crowd)
        return _genomes(children, genomes, f"search.mate.name={self.name}")


class StockMutation:
    """Any mutation of ``deap.tools`` by `name`, with its `arguments`, on flattened genomes.

    A `strength` [n, p] multiplies each individual's argument ``sigma``, or else its ``indpb``, up to 1.
    """

    def __init__(
        self, name: str = "mutShuffleIndexes", arguments: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.arguments = name, dict(arguments or {})
        self.operator = _operator("search.mutate", "mut", name, self.arguments, 1)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        strengths = (
            strength.tolist()
            if strength is not None
            else [[None] * genomes.shape[1]] * len(genomes)
        )
        mutants = []
        for crowd, factors, key in zip(_lists(genomes), strengths, rows.key.tolist(), strict=True):
            with chance_of(key), _told("search.mutate", self.name):
                for one, factor in zip(crowd, factors, strict=True):
                    (one[:],) = self.operator(one, **self._scaled(factor))
            mutants.append(crowd)
        return _genomes(mutants, genomes, f"search.mutate.name={self.name}")

    def _scaled(self, factor: float | None) -> dict[str, Any]:
        if factor is None:
            return self.arguments
        if isinstance(self.arguments.get("sigma"), int | float):
            return {**self.arguments, "sigma": self.arguments["sigma"] * factor}
        if "indpb" in self.arguments:
            return {**self.arguments, "indpb": min(1.0, self.arguments["indpb"] * factor)}
        raise InputError(
            f"search.mutate.name={self.name}: has neither sigma nor indpb, so nothing there can adapt."
        )


class _Fitness(base.Fitness):
    weights = (1.0,)


class _Candidate:
    """An individual as DEAP's selection sees one."""

    def __init__(self, place: int, fitness: float) -> None:
        self.place, self.fitness = place, _Fitness((fitness,))


class _Genes(list):
    """An individual as DEAP's crossovers and mutations see one."""


def _operator(
    word: str, prefix: str, name: str, arguments: dict[str, Any], before: int
) -> Callable[..., Any]:
    """DEAP's operator of that name; InputError where there is none, or it cannot be called with `arguments`."""
    names = [one for one in dir(tools) if one.startswith(prefix) and callable(getattr(tools, one))]
    if name not in names:
        hint = nearest(name, names) or f" There are {', '.join(names)}."
        raise InputError(f"{word}.name={name}: DEAP has no such operator.{hint}")
    operator: Callable[..., Any] = getattr(tools, name)
    takes = list(inspect.signature(operator).parameters.values())[before:]
    for key in arguments:
        if key not in [one.name for one in takes]:
            hint = (
                f" It takes {', '.join(one.name for one in takes)}." if takes else " It takes none."
            )
            raise InputError(f"{word}.arguments.{key}: {name} takes no such value.{hint}")
    for one in takes:
        if one.default is one.empty and one.name not in arguments:
            raise InputError(
                f"{word}.name={name}: needs {one.name}; write +{word}.arguments.{one.name}=..."
            )
    if "indpb" in arguments and isinstance(arguments["indpb"], int | float):
        check_share(f"{word}.arguments.indpb", arguments["indpb"])
    return operator


@contextmanager
def chance_of(key: int) -> Iterator[None]:
    """Both global generators draw what `key` says inside the block, and go on as if nothing had been after it."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the generator that DEAP uses
    random.seed(key)
    np.random.seed(key % (1 << 32))  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextmanager
def _told(word: str, name: str) -> Iterator[None]:
    """One line in place of DEAP's traceback, where an operator cannot work on what it is given."""
    try:
        yield
    except WRONG as error:
        raise InputError(
            f"{word}.name={name}: DEAP's operator fails here with these arguments ({type(error).__name__}: {error})."
        ) from error


def _lists(genomes: Tensor) -> list[list[_Genes]]:
    """`genomes` [n, p, *shape] as lists of genes: int where an item's are all whole, else float or bool."""
    crowds = []
    for crowd in genomes.flatten(2):
        if crowd.is_floating_point() and torch.equal(crowd, crowd.round()):
            crowd = crowd.long()
        crowds.append([_Genes(one) for one in crowd.tolist()])
    return crowds


def _genomes(crowds: list[list[_Genes]], like: Tensor, word: str) -> Tensor:
    """The inverse of `_lists`: a tensor of the shape and kind of `like`."""
    genes = like[0, 0].numel()
    if any(len(one) != genes for crowd in crowds for one in crowd):
        raise InputError(f"{word}: changes the number of genes; a genome here keeps its {genes}.")
    return torch.tensor(crowds, dtype=like.dtype, device=like.device).view_as(like)
