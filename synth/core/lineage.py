"""Ancestry of genomes: remembered ancestors, and lines of descent from birth records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

NO_PARENT = -1  # in a birth record: no parent (first generation) or no mate (no crossover)
NO_CHILD = -1  # in a birth record: an offspring that did not survive, which is none


@dataclass
class Ancestors:
    """The line of descent of each item's genome, thinned to a few frames in order of birth.

    The first frame is the first ancestor and the last one the item's own genome.

    Args:
        genomes: [n, f, *shape], of which the first `count` frames are valid.
        count: [n], the number of valid frames.
        id: [n, f], the id that the individual in each frame had.
        step: [n, f], the step in which it was born.
        cell: [n, f], the item (the cell of a map of elites) that it was the elite of.
        score: [n, f], its score in that cell.
        generations: [n], the length of the whole line.
    """

    genomes: Tensor
    count: Tensor
    id: Tensor
    step: Tensor
    cell: Tensor
    score: Tensor
    generations: Tensor


def joined(births: Iterable[Tensor]) -> Tensor:
    """The birth records of several steps on the host, int64 [b, 4], without those of no child."""
    records = [torch.zeros(0, 4, dtype=torch.int64), *(birth.to("cpu") for birth in births)]
    whole = torch.cat(records)
    return whole[whole[:, 1] != NO_CHILD]


def line_of(births: Tensor, item: int, child: int) -> list[int]:
    """The line of descent of an individual along the first parents.

    Args:
        births: int64 [b, 4] of item, child, parent and mate, as ``lineage.safetensors`` holds
            them. Ids belong to an item where items have populations of their own; where items
            share a population, an id means the same individual for all of them.
        item: the item in whose population `child` was.
        child: the id of the individual.

    Returns:
        Ids from the first ancestor down to `child`. A parent that is not older than its child
        (a damaged file) ends the line.

    Raises:
        KeyError: where no individual of that id was born.
    """
    parents = {(row[0], row[1]): row[2] for row in births.tolist()}
    parents_of_any_item = {row[1]: row[2] for row in births.tolist()}
    line = [child]
    parent = parents.get((item, child), parents_of_any_item.get(child))
    if parent is None:
        raise KeyError(f"{child}: no individual of that id was born")
    while NO_PARENT < parent < line[-1]:
        line.append(parent)
        parent = parents.get((item, parent), parents_of_any_item.get(parent, NO_PARENT))
    return line[::-1]
