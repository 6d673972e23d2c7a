"""Takes mutations; gives one that adapts its own strength as it evolves, or that uses several side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from synth.core import Rows
from synth.errors import InputError, nearest

Mutation = Callable[
    ..., Tensor
]  # (genomes [n, p, *shape], rows, strength [n, p] or None) -> genomes


class SelfAdaptive:
    """A mutation whose strength is inherited and mutates itself: what moves by good steps is what survives.

    Self-adaptation of evolution strategies (Schwefel 1977; Baeck 1996) with one strength an individual: before
    it is used it is multiplied by exp(learning * N(0, 1)) and kept within [least, most]. It multiplies the
    sigma of `of`, or its rate where it has none; 1 is what `of` does alone. A search sees by `adapts` that it
    has to carry a strength [n, p] with its individuals, and asks `adapted` for each generation's.
    """

    adapts = True

    def __init__(
        self, of: Mutation | str, learning: float = 0.2, least: float = 0.05, most: float = 5.0
    ) -> None:
        if not 0 <= learning < math.inf:
            raise InputError(f"search.mutate.learning={learning}: the learning rate is at least 0.")
        if not 0 < least <= most < math.inf:
            raise InputError(
                f"search.mutate.least={least} search.mutate.most={most}: strengths lie above 0, least below most."
            )
        _refuse(of, "search.mutate.of")
        self.of, self.learning, self.least, self.most = of, learning, least, most

    def check(self, genome: Tensor) -> None:
        """Raises InputError where `of` cannot change a genome [*shape] of that kind."""
        _check(self.of, genome)

    def at(self, generation: int) -> SelfAdaptive:
        """The mutation of that generation, where `of` changes from one to the next."""
        return SelfAdaptive(later(self.of, generation), self.learning, self.least, self.most)

    def adapted(self, strength: Tensor, rows: Rows) -> Tensor:
        """The strengths [n, p] of the children of parents with `strength` [n, p]."""
        noise = rows.fold_in(2).normal(strength.shape[1])
        return (strength * (self.learning * noise).exp_()).clamp_(self.least, self.most)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        return self.of(genomes, rows, strength)


class Mixture:
    """Each individual is mutated by one of several mutations, drawn by `shares`.

    `of` is a list or names them; `shares` has one number for each, in any unit, None for equal ones; where
    `of` names them a name that is left out has 1. All of them are computed for all individuals, so that it
    costs what they cost together. A `strength` [n, p] is passed on.
    """

    def __init__(
        self,
        of: Mapping[str, Mutation | str] | Sequence[Mutation | str],
        shares: Mapping[str, float] | Sequence[float] | None = None,
    ) -> None:
        named = (
            dict(of)
            if isinstance(of, Mapping)
            else {str(place): one for place, one in enumerate(of)}
        )
        if not named:
            raise InputError("search.mutate.of: holds no mutation; write one or more.")
        for name, one in named.items():
            _refuse(one, f"search.mutate.of.{name}")
        if shares is None:
            shares = {}
        if not isinstance(shares, Mapping):
            if len(shares) != len(named):
                raise InputError(
                    f"search.mutate.shares: {len(shares)} numbers for {len(named)} mutations."
                )
            shares = dict(zip(named, shares, strict=True))
        for name in shares:
            if name not in named:
                raise InputError(
                    f"search.mutate.shares.{name}: no such mutation in of.{nearest(name, named)}"
                )
        weights = [float(shares.get(name, 1.0)) for name in named]
        if not all(0 <= weight < math.inf for weight in weights) or not sum(weights):
            raise InputError(
                f"search.mutate.shares={weights}: shares are at least 0, and one is above."
            )
        used = {
            one: weight / sum(weights) for one, weight in zip(named, weights, strict=True) if weight
        }
        self.of, self.shares = [named[name] for name in used], list(used.values())

    def check(self, genome: Tensor) -> None:
        """Raises InputError where one of them cannot change a genome [*shape] of that kind."""
        for one in self.of:
            _check(one, genome)

    def at(self, generation: int) -> Mixture:
        """The mutation of that generation, where one of them changes from one to the next."""
        return Mixture([later(one, generation) for one in self.of], self.shares)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        chance = rows.uniform(genomes.shape[1])
        chance = chance.view(*chance.shape, *[1] * (genomes.ndim - 2))
        mixed, before = genomes, 0.0
        for place, (mutation, share) in enumerate(zip(self.of, self.shares, strict=True)):
            mutants = mutation(genomes, rows.fold_in(1 + place), strength)
            # every share but the first overwrites what lies above its beginning, so the last has no upper end
            mixed = mutants if place == 0 else torch.where(chance >= before, mutants, mixed)
            before += share
        return mixed


def later(mutation: Mutation, generation: int) -> Mutation:
    """`mutation` as it is in that generation, the first being 1: itself, unless it changes (`at`)."""
    at = getattr(mutation, "at", None)
    return mutation if at is None else at(generation)


def _check(mutation: Mutation | str, genome: Tensor) -> None:
    check = getattr(mutation, "check", None)
    if check is not None:
        check(genome)


def _refuse(mutation: Mutation | str, key: str) -> None:
    if isinstance(mutation, str):
        raise InputError(
            f"{key}={mutation}: a word is no mutation; write search/mutate@{key}={mutation}."
        )
    if getattr(mutation, "adapts", False):
        raise InputError(
            f"{key}: a self-adaptive mutation cannot stand inside another; put it outermost."
        )
