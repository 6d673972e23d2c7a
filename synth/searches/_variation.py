"""Operators, inherited strengths, mates and statistics, for the evolutionary searches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from deap import base, tools
from torch import Tensor

from synth.core import Crossover, Genome, Mutation, Rows
from synth.core.lineage import NO_PARENT


def register_suited(
    toolbox: base.Toolbox,
    mate: Crossover,
    mutate: Mutation,
    genome: Genome,
    size: tuple[int, int] | None,
) -> tuple[Crossover, Mutation]:
    """The operators that `mate` and `mutate` stand for with certain genomes.

    Args:
        toolbox: DEAP's, in which they are registered where they are others.
        mate: as the user chose it.
        mutate: as the user chose it.
        genome: such as the population's, [*shape].
        size: height and width of the images; None where genomes are not images of one size.
    """
    crossover, mutation = mate.suited(genome, size), mutate.suited(genome, size)
    if crossover is not mate:
        toolbox.register("mate", crossover)
    if mutation is not mutate:
        toolbox.register("mutate", mutation)
    return crossover, mutation


def mutated(
    mutate: Mutation, genomes: Tensor, rows: Rows, strength: Tensor | None, strength_rows: Rows
) -> tuple[Tensor, Tensor | None]:
    """Mutants and, for a self-adaptive mutation, their strengths.

    Args:
        mutate: the mutation of this generation.
        genomes: [n, p, *shape].
        rows: the n items with the keys of the mutation.
        strength: the parents' strengths [n, p]; None where `mutate` is not self-adaptive.
        strength_rows: the n items with the keys of the strengths.

    Returns:
        Mutants [n, p, *shape]; their strengths [n, p], or None.
    """
    if strength is None:
        return mutate(genomes, rows), None
    strength = mutate.adapted(strength, strength_rows)
    return mutate(genomes, rows, strength), strength


def mates(parents: Tensor, crossed: Tensor) -> Tensor:
    """Ids [n, p] of the mates of `parents` [n, p], paired 0-1, 2-3, ...; NO_PARENT for none.

    `crossed` is bool [n, p // 2]; a pair that is spared, and the last of an odd number, has none.
    """
    count = parents.shape[1]
    mate = torch.arange(count, device=parents.device) ^ 1
    paired = torch.zeros_like(parents, dtype=torch.bool)
    paired[:, : count // 2 * 2] = crossed.repeat_interleave(2, 1)
    return parents[:, mate.clamp_max(count - 1)].masked_fill(~paired, NO_PARENT)


def statistics() -> tools.Statistics:
    """DEAP's Statistics of the fitness [n, p], compiled from a list of that one tensor."""
    summary = tools.Statistics()
    for name, reduction in REDUCTIONS.items():
        summary.register(name, reduction)
    return summary


def _mean(fitness: Tensor) -> Tensor:
    """The mean [n] of the valid fitness [n, p]; 0 where none is valid."""
    valid = fitness.isfinite()
    return fitness.masked_fill(~valid, 0.0).sum(1) / valid.sum(1).clamp_min(1)


def _deviation(fitness: Tensor) -> Tensor:
    """The standard deviation [n] of the valid fitness [n, p]; 0 where none is valid."""
    difference = (fitness - _mean(fitness)[:, None]).masked_fill(~fitness.isfinite(), 0.0)
    return (difference.square().sum(1) / fitness.isfinite().sum(1).clamp_min(1)).sqrt()


# DEAP's Statistics maps over a sequence: here of one element, the fitness of all items [n, p]
REDUCTIONS: dict[str, Callable[[tuple[Tensor]], Tensor]] = {
    "max": lambda values: values[0].amax(1),
    "mean": lambda values: _mean(values[0]),
    "min": lambda values: values[0].amin(1),
    "std": lambda values: _deviation(values[0]),
}
