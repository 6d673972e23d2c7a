"""The evolutionary operators: abstract selection, crossover, mutation and survivor selection.

They are the operators of an evolutionary algorithm as in DEAP's toolbox, with batch signatures: one
call serves the populations of all items. Throughout, n is the number of items, p the number of
individuals of a population, ``*shape`` the shape of one genome, and fitness is higher for better
individuals. Draws come from `rows` alone, which has one key an item, so that an item evolves the
same alone and in any batch.

The attributes declared here are all that a search reads of an operator.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from synth.core.part import Part
from synth.core.rows import Rows
from synth.core.types import Genome, State


class Selection(Part):
    """Parent selection: which individuals of a population reproduce."""

    @abstractmethod
    def __call__(self, fitness: Tensor, count: int, rows: Rows) -> Tensor:
        """Draw the parents of the next offspring.

        Args:
            fitness: [n, p], higher is better. A value that is not finite marks an invalid
                individual, which is chosen only where an item has no valid one.
            count: how many parents to choose for each item.
            rows: the n items.

        Returns:
            Positions int64 [n, count] in the population; an individual may be chosen repeatedly.
        """


class Crossover(Part):
    """Crossover (recombination): neighbours 0-1, 2-3, ... of a population exchange genes."""

    crosses: bool = True  # False where offspring are copies of single parents, without a mate
    rate: float = 1.0  # the share of the pairs that are crossed

    @abstractmethod
    def __call__(self, genomes: Tensor, rows: Rows) -> Tensor:
        """Cross the neighbours of each population.

        Args:
            genomes: [n, p, *shape]; left unchanged. Where p is odd, the last one has no mate.
            rows: the n items.

        Returns:
            Offspring, [n, p, *shape].
        """

    def crossed(self, count: int, rows: Rows) -> Tensor:
        """Which pairs of a population of `count` are crossed with `rows`: bool [n, count // 2]."""
        pairs = count // 2
        if self.crosses and self.rate < 1:
            return rows.fold_in(1).uniform(pairs) < self.rate
        return torch.full((len(rows), pairs), self.crosses, device=rows.key.device)

    def check(self, genome: Genome) -> None:
        """Raise InputError where genomes such as `genome` [*shape] cannot be crossed.

        By default any genomes can.
        """
        return

    def suited(self, genome: Genome, size: tuple[int, int] | None) -> Crossover:
        """The crossover that this one stands for with certain genomes; by default itself.

        Args:
            genome: such as the population's, [*shape].
            size: height and width of the images; None where genomes are not images of one size.
        """
        return self


class Mutation(Part):
    """Mutation: a random change of each genome on its own."""

    self_adaptive: bool = False  # whether individuals carry and inherit a strength (`adapted`)

    @abstractmethod
    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        """Mutate every genome.

        Args:
            genomes: [n, p, *shape]; left unchanged.
            rows: the n items.
            strength: [n, p], factors of the step length or, where there is none, of the mutation
                rate; None for a factor of 1.

        Returns:
            Mutants, [n, p, *shape].
        """

    def check(self, genome: Genome) -> None:
        """Raise InputError where genomes such as `genome` [*shape] cannot be mutated.

        By default any genome can. A mutation that is made for graphs refuses other genomes here.
        """
        return

    def suited(self, genome: Genome, size: tuple[int, int] | None) -> Mutation:
        """The mutation that this one stands for with certain genomes; by default itself.

        Args:
            genome: such as the population's, [*shape].
            size: height and width of the images; None where genomes are not images of one size.
        """
        return self

    def at(self, generation: int) -> Mutation:
        """The mutation of that generation, the first being 1; by default the same in all."""
        return self

    def adapted(self, strength: Tensor, rows: Rows) -> Tensor:
        """Strengths [n, p] of offspring whose parents had `strength` [n, p]; by default the same.

        A search calls it where the mutation is `self_adaptive`.
        """
        return strength


class Survival(Part):
    """Survivor selection: which of the parents and offspring make up the next generation.

    A population is a dict of tensors [n, p, ...]: ``population``, the genomes; ``fitness`` [n, p],
    which falls from left to right, of individuals of equal fitness the earlier in front; ``id``,
    int64 numbers in the order of birth, so that an older individual has a smaller one; with a
    self-adaptive mutation ``strength``. A scheme gathers all of them alike.
    """

    elitist: bool = False  # whether the best individual so far always survives

    @abstractmethod
    def offspring_count(self, population: int) -> int:
        """How many offspring a population of that size has in a generation.

        Raises:
            InputError: where the scheme does not fit a population of that size.
        """

    @abstractmethod
    def __call__(self, parents: State, offspring: State, rows: Rows) -> State:
        """The next generation, ranked by fitness.

        Args:
            parents: tensors [n, p, ...], ranked by fitness.
            offspring: tensors [n, m, ...] of the same names, in any order, m = `offspring_count`.
            rows: the n items, for schemes that draw random numbers.

        Returns:
            Tensors [n, p, ...] of the same names.
        """
