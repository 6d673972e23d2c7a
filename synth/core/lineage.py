"""Where a genome comes from: a few remembered ancestors, and the births of a run, from which any line is walked."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

NOBODY = -1


@dataclass
class Ancestors:
    """The line that led to each item's genome, thinned to a few frames, the first ancestor first and itself last.

    `genomes` [n, f, *shape], of which the first `count` [n] are there; the `id` they had [n, f], the `step` they were
    born in, the item they were the `cell` of, and their `score` there; `generations` [n], how long the whole line is.
    """

    genomes: Tensor
    count: Tensor
    id: Tensor
    step: Tensor
    cell: Tensor
    score: Tensor
    generations: Tensor


def line_of(births: Tensor, item: int, child: int) -> list[int]:
    """The ids from the first ancestor down to `child`, along the first parents.

    `births` [b, 4] holds item, child, parent and mate, as ``lineage.safetensors`` keeps them. Where items have
    populations of their own, ids are those of the item's; where they share one, an id means the same in all.
    Raises KeyError where nobody of that id was born.
    """
    parents = {(row[0], row[1]): row[2] for row in births.tolist()}
    anywhere = {row[1]: row[2] for row in births.tolist()}
    line = [child]
    parent = parents.get((item, child), anywhere.get(child))
    if parent is None:
        raise KeyError(f"{child}: nobody of that id was born")
    while (
        NOBODY < parent < line[-1]
    ):  # whoever is not older is nobody's parent: a damaged file ends the line
        line.append(parent)
        parent = parents.get((item, parent), anywhere.get(parent, NOBODY))
    return line[::-1]
