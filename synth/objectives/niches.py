"""Class scores in a grid over behaviour descriptors of the image: for MAP-Elites.

A niche is a cell of the grid. An image has the score of the class in the column of the niche that
it falls into, and minus infinity in the columns of all others: illumination in the sense of
Mouret & Clune 2015, which looks for the best image of every niche, in place of a single best one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from synth.core import BoundObjective, Images, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.errors import InputError, nearest
from synth.objectives.scores import Names, check_not_random, check_score, range_of, score_of


def brightness(images: Images) -> Tensor:
    """The mean of all values, [n]; 0 black, 1 white."""
    return images.mean((1, 2, 3))


def colourfulness(images: Images) -> Tensor:
    """The mean distance of the colours from grey, [n], scaled to 1 for an image all pure red."""
    return (images.amax(1) - images.amin(1)).mean((1, 2))


def detail(images: Images) -> Tensor:
    """The mean absolute difference of neighbours, down plus across, [n]; at most 1."""
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().mean((1, 2, 3))
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean((1, 2, 3))
    return (down + across).clamp_max(1.0)


def symmetry(images: Images) -> Tensor:
    """The similarity of the left and the right half, [n]: 1 if mirrored, about 0 for noise."""
    spread = (images - images.mean((2, 3), keepdim=True)).abs().mean((1, 2, 3))
    difference = (images - images.flip(3)).abs().mean((1, 2, 3))
    return (1.0 - difference / (2.0 * spread).clamp_min(1e-6)).clamp(0.0, 1.0)


DESCRIPTORS: dict[str, Callable[[Images], Tensor]] = {
    "brightness": brightness,
    "colourfulness": colourfulness,
    "detail": detail,
    "symmetry": symmetry,
}
# lower edge of the first and upper edge of the last cell: most images lie in a part of the range
RANGES = {
    "brightness": (0.15, 0.85),
    "colourfulness": (0.0, 0.8),
    "detail": (0.0, 0.5),
    "symmetry": (0.0, 1.0),
}


class Niches(Objective):
    """A `score` of each class of `target` in every cell of a grid over behaviour `descriptors`.

    An item, and so a column, is a class in a cell, in the order of the classes. An image outside of
    the range of a descriptor belongs to its first or last cell.

    Args:
        target: the classes by name, synset or index, a list or ``all``.
        descriptors: ``brightness``, ``colourfulness``, ``detail`` or ``symmetry`` -> the number of
            cells along it, 1 or more.
        score: ``logit``, ``log_probability``, ``probability`` or ``margin``, as for `ClassScore`.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an unknown score or descriptor, no descriptors, or ``random`` targets; in
            `bind`, for an unknown class.
    """

    def __init__(
        self,
        target: Names,
        descriptors: Mapping[str, int],
        score: str = "probability",
        weight: float = 1.0,
    ) -> None:
        check_score(score)
        check_not_random(target)
        for name, steps in descriptors.items():
            if name not in DESCRIPTORS:
                hint = nearest(name, DESCRIPTORS) or f" Write one of {', '.join(DESCRIPTORS)}."
                raise InputError(f"descriptors.{name}: no such descriptor.{hint}")
            if steps < 1:
                raise InputError(f"descriptors.{name}={steps}: write 1 or more steps.")
        if not descriptors:
            raise InputError(f"descriptors: empty; name one or two of {', '.join(DESCRIPTORS)}.")
        self.names = target
        self.descriptors = dict(descriptors)
        self.score = score
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundNiches(self, network)


class _BoundNiches(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, niches: Niches, network: Network) -> None:
        indices = network.classes.indices(niches.names, network.name)
        steps = (range(count) for count in niches.descriptors.values())
        cells = [_cell_name(cell, niches.descriptors) for cell in itertools.product(*steps)]
        self.score = niches.score
        self.range = range_of(niches.score)
        self.descriptors = niches.descriptors
        self.index = torch.tensor(indices, device=network.device)
        self.items = [Target(network.classes.label(i), i, cell) for i in indices for cell in cells]
        self.cells = len(cells)
        self.columns = len(self.items)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = score_of(readout.activations[OUTPUT], self.score)[:, self.index]
        inside = torch.nn.functional.one_hot(self._cell(readout.images.detach()), self.cells).bool()
        columns = scores[:, :, None].masked_fill(~inside[:, None, :], -torch.inf)
        return {f"niche_{self.score}": columns.flatten(1)}

    def _cell(self, images: Images) -> Tensor:
        """The cell that each image falls into, int64 [n]."""
        cell = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        for name, steps in self.descriptors.items():
            low, high = RANGES[name]
            share = (DESCRIPTORS[name](images) - low) / (high - low)
            cell = cell * steps + (share.nan_to_num(0.0) * steps).long().clamp(0, steps - 1)
        return cell


def _cell_name(cell: tuple[int, ...], descriptors: Mapping[str, int]) -> str:
    """A cell in words, steps counted from 1: ``brightness 3, detail 1``."""
    return ", ".join(f"{name} {place + 1}" for place, name in zip(cell, descriptors, strict=True))
