"""A class in many kinds of pictures: one column a niche, so that a search may find dark, bright, plain and busy ones.

A niche is a cell of a grid over descriptors of the picture itself. In the column of the niche that a picture falls
into stands what the network says of the class, in all others minus infinity: illumination, as Mouret & Clune 2015
call it, instead of one best.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from synth.core import BoundObjective, Images, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.errors import InputError, nearest
from synth.objectives.scores import SCORES, Names, score_of


def brightness(images: Images) -> Tensor:
    """The mean of all values, [n]; 0 black, 1 white."""
    return images.mean((1, 2, 3))


def colourfulness(images: Images) -> Tensor:
    """The mean distance of the colours from grey, [n], scaled to 1 for pure red or yellow all over."""
    return (images.amax(1) - images.amin(1)).mean((1, 2))


def detail(images: Images) -> Tensor:
    """How much neighbours differ, [n]: the mean absolute difference down plus across, at most 1."""
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().mean((1, 2, 3))
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean((1, 2, 3))
    return (down + across).clamp_max(1.0)


def symmetry(images: Images) -> Tensor:
    """How alike the left and the right half are, [n]: 1 for mirror images, about 0 for noise."""
    spread = (images - images.mean((2, 3), keepdim=True)).abs().mean((1, 2, 3))
    apart = (images - images.flip(3)).abs().mean((1, 2, 3))
    return (1.0 - apart / (2.0 * spread).clamp_min(1e-6)).clamp(0.0, 1.0)


DESCRIPTORS: dict[str, Callable[[Images], Tensor]] = {
    "brightness": brightness,
    "colourfulness": colourfulness,
    "detail": detail,
    "symmetry": symmetry,
}
# where the cells of a descriptor begin and end: most pictures lie in a part of its range
RANGES = {
    "brightness": (0.15, 0.85),
    "colourfulness": (0.0, 0.8),
    "detail": (0.0, 0.5),
    "symmetry": (0.0, 1.0),
}


class Niches(Objective):
    """A `score` (as `ClassScore` has them) of each class of `target` in every cell of a grid over `descriptors`.

    `descriptors` maps ``brightness``, ``colourfulness``, ``detail`` or ``symmetry`` to a number of steps; what lies
    beyond the first or last step belongs to it. An item is a class in a cell, in the order of the classes.
    """

    def __init__(
        self,
        target: Names,
        descriptors: Mapping[str, int],
        score: str = "probability",
        weight: float = 1.0,
    ) -> None:
        if score not in SCORES:
            raise InputError(f"objective score={score}: no such score.{nearest(score, SCORES)}")
        if target == "random":
            raise InputError(
                "target=random: here every picture competes for every target; write their names, or all."
            )
        for name, steps in descriptors.items():
            if name not in DESCRIPTORS:
                hint = nearest(name, DESCRIPTORS) or f" Write one of {', '.join(DESCRIPTORS)}."
                raise InputError(f"descriptors.{name}: no such descriptor.{hint}")
            if steps < 1:
                raise InputError(f"descriptors.{name}={steps}: write 1 or more steps.")
        if not descriptors:
            raise InputError(f"descriptors: empty; name one or two of {', '.join(DESCRIPTORS)}.")
        self.names, self.descriptors, self.score, self.weight = (
            target,
            dict(descriptors),
            score,
            weight,
        )

    def bind(self, network: Network) -> BoundObjective:
        return _BoundNiches(self, network)


class _BoundNiches(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, niches: Niches, network: Network) -> None:
        indices = network.classes.indices(niches.names, network.name)
        self.score, self.descriptors = niches.score, niches.descriptors
        self.index = torch.tensor(indices, device=network.device)
        steps = (range(count) for count in niches.descriptors.values())
        cells = [_said(cell, niches.descriptors) for cell in itertools.product(*steps)]
        self.items = [Target(network.classes.label(i), i, cell) for i in indices for cell in cells]
        self.cells, self.columns = len(cells), len(self.items)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = score_of(readout.activations[OUTPUT], self.score)[:, self.index]
        inside = torch.nn.functional.one_hot(self._cell(readout.images.detach()), self.cells).bool()
        columns = scores[:, :, None].masked_fill(~inside[:, None, :], -torch.inf)
        return {f"niche_{self.score}": columns.flatten(1)}

    def _cell(self, images: Images) -> Tensor:
        """The cell each picture falls into, [n]."""
        cell = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        for name, steps in self.descriptors.items():
            low, high = RANGES[name]
            share = (DESCRIPTORS[name](images) - low) / (high - low)
            cell = cell * steps + (share.nan_to_num(0.0) * steps).long().clamp(0, steps - 1)
        return cell


def _said(cell: tuple[int, ...], descriptors: Mapping[str, int]) -> str:
    """A cell in words, steps counted from 1: ``brightness 3, detail 1``."""
    return ", ".join(f"{name} {place + 1}" for place, name in zip(cell, descriptors, strict=True))
