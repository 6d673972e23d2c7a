"""What every population-based search does around its operators: check them, mutate, name the partners, sum up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from deap import tools
from torch import Tensor

from synth.core import Rows


def check(mutate: Any, genome: Tensor) -> None:
    """Raises InputError where `mutate` cannot change a genome [*shape] of that kind."""
    checks = getattr(mutate, "check", None)
    if checks is not None:
        checks(genome)


def mutated(
    mutate: Any, genomes: Tensor, rows: Rows, strength: Tensor | None, adapting: Rows
) -> tuple[Tensor, Tensor | None]:
    """Mutants of `genomes` [n, p, *shape], and their strengths [n, p] where `mutate` adapts the parents' `strength`."""
    if strength is None:
        return mutate(genomes, rows), None
    strength = mutate.adapted(strength, adapting)
    return mutate(genomes, rows, strength), strength


def partners(parents: Tensor, crosses: bool) -> Tensor:
    """Ids [n, p] of whom the neighbours 0-1, 2-3, ... of `parents` [n, p] mate with; -1 for nobody."""
    count = parents.shape[1]
    partner = torch.arange(count, device=parents.device) ^ 1
    alone = partner >= count if crosses else torch.ones_like(partner, dtype=torch.bool)
    return parents[:, partner.clamp_max(count - 1)].masked_fill(alone, -1)


def statistics() -> tools.Statistics:
    """DEAP's statistics of fitnesses [n, p], given as a list of that one tensor."""
    found = tools.Statistics()
    for name, reduction in REDUCTIONS.items():
        found.register(name, reduction)
    return found


def _mean(fitness: Tensor) -> Tensor:
    """The mean [n] of the valid fitnesses [n, p]; 0 where none is."""
    valid = fitness.isfinite()
    return fitness.masked_fill(~valid, 0.0).sum(1) / valid.sum(1).clamp_min(1)


def _deviation(fitness: Tensor) -> Tensor:
    away = (fitness - _mean(fitness)[:, None]).masked_fill(~fitness.isfinite(), 0.0)
    return (away.square().sum(1) / fitness.isfinite().sum(1).clamp_min(1)).sqrt()


# DEAP's Statistics maps over what it is given: here one object, the fitness of all populations [n, p]
REDUCTIONS: dict[str, Callable[[tuple[Tensor]], Tensor]] = {
    "max": lambda one: one[0].amax(1),
    "mean": lambda one: _mean(one[0]),
    "min": lambda one: one[0].amin(1),
    "std": lambda one: _deviation(one[0]),
}
