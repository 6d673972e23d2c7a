"""Mutations made of other mutations: self-adaptation of the strength, and mixtures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy

import torch
from torch import Tensor

from synth.core import Genome, Mutation, Rows
from synth.errors import InputError, nearest


class SelfAdaptive(Mutation):
    """Self-adaptation: the strength of a mutation is inherited and mutates itself.

    The self-adaptation of evolution strategies (Schwefel 1977; Baeck 1996) with one strength an
    individual: before each use it is multiplied by exp(learning * N(0, 1)) and clipped to
    [least, most]. It multiplies the sigma of `of`, or its rate where it has none.

    Args:
        of: the mutation whose strength adapts; a strength of 1 is what it does alone.
        learning: standard deviation of the logarithm of a strength's change, 0 or more.
        least: the smallest strength, above 0.
        most: the largest strength.

    Raises:
        InputError: for numbers out of range, or a mutation that is self-adaptive already.
    """

    self_adaptive = True

    def __init__(
        self, of: Mutation | str, learning: float = 0.2, least: float = 0.05, most: float = 5.0
    ) -> None:
        if not 0 <= learning < math.inf:
            raise InputError(f"search.mutate.learning={learning}: the learning rate is at least 0.")
        if not 0 < least <= most < math.inf:
            raise InputError(
                f"search.mutate.least={least} search.mutate.most={most}: strengths lie above 0, "
                "least below most."
            )
        self.of = _inner(of, "search.mutate.of")
        self.learning = learning
        self.least = least
        self.most = most

    def check(self, genome: Genome) -> None:
        self.of.check(genome)

    def at(self, generation: int) -> SelfAdaptive:
        other = copy(self)
        other.of = self.of.at(generation)
        return other

    def adapted(self, strength: Tensor, rows: Rows) -> Tensor:
        noise = rows.fold_in(2).normal(strength.shape[1])
        return (strength * (self.learning * noise).exp_()).clamp_(self.least, self.most)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        return self.of(genomes, rows, strength)


class Mixture(Mutation):
    """Each individual is mutated by one of several mutations, drawn at random.

    All of them are computed for all individuals, so a mixture costs the sum of their costs. A
    strength is passed on to each.

    Args:
        of: the mutations, by name or as a list.
        shares: how often each is used, in any unit, 0 or more, by name or as a list; a name that
            is left out has 1, and None gives all the same.

    Raises:
        InputError: without any mutation, for unknown names in `shares`, shares out of range, or a
            self-adaptive mutation among them.
    """

    def __init__(
        self,
        of: Mapping[str, Mutation | str] | Sequence[Mutation | str],
        shares: Mapping[str, float] | Sequence[float] | None = None,
    ) -> None:
        entries = of if isinstance(of, Mapping) else {str(i): part for i, part in enumerate(of)}
        if not entries:
            raise InputError("search.mutate.of: holds no mutation; write one or more.")
        mutations = {
            name: _inner(part, f"search.mutate.of.{name}") for name, part in entries.items()
        }
        weights = _weights(list(mutations), shares)
        total = sum(weights.values())
        used = {name: weight / total for name, weight in weights.items() if weight}
        self.of = [mutations[name] for name in used]
        self.shares = list(used.values())

    def check(self, genome: Genome) -> None:
        for mutation in self.of:
            mutation.check(genome)

    def at(self, generation: int) -> Mixture:
        other = copy(self)
        other.of = [mutation.at(generation) for mutation in self.of]
        return other

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        chance = rows.uniform(genomes.shape[1])
        chance = chance.view(*chance.shape, *[1] * (genomes.ndim - 2))
        mixed = genomes
        lower = 0.0  # where the interval of the mutation begins; it ends where the next one begins
        for place, (mutation, share) in enumerate(zip(self.of, self.shares, strict=True)):
            mutants = mutation(genomes, rows.fold_in(1 + place), strength)
            mixed = mutants if place == 0 else torch.where(chance >= lower, mutants, mixed)
            lower += share
        return mixed


def _weights(
    names: list[str], shares: Mapping[str, float] | Sequence[float] | None
) -> dict[str, float]:
    """The share of each of the mutations `names`, in the user's unit."""
    if shares is None:
        shares = {}
    if not isinstance(shares, Mapping):
        if len(shares) != len(names):
            raise InputError(
                f"search.mutate.shares: {len(shares)} numbers for {len(names)} mutations."
            )
        shares = dict(zip(names, shares, strict=True))
    for name in shares:
        if name not in names:
            raise InputError(
                f"search.mutate.shares.{name}: no such mutation in of.{nearest(name, names)}"
            )
    weights = {name: float(shares.get(name, 1.0)) for name in names}
    values = list(weights.values())
    if not all(0 <= weight < math.inf for weight in values) or not sum(values):
        raise InputError(f"search.mutate.shares={values}: shares are at least 0, and one is above.")
    return weights


def _inner(mutation: Mutation | str, key: str) -> Mutation:
    """`mutation`; InputError where it is only a name, or cannot be part of another mutation."""
    if isinstance(mutation, str):
        raise InputError(
            f"{key}={mutation}: a word is no mutation; write search/mutate@{key}={mutation}."
        )
    if mutation.self_adaptive:
        raise InputError(
            f"{key}: a self-adaptive mutation cannot stand inside another; put it outermost."
        )
    return mutation
