"""Pictures painted by a network of fixed topology: the genome is its weights, [r, d], d a few hundred.

A compositional pattern-producing network (Stanley 2007) gives the colour of a point from where it lies. Here
its layers are full and only its weights are searched, so that any search will do; in `cppn` the graph evolves.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Encoding, Genome, Images, Rows
from synth.data.sizes import Size, size_of
from synth.encodings._points import INPUTS, points_of
from synth.errors import InputError

COLOURS = 3
ACTIVATIONS = 4


class CppnWeights(Encoding):
    """`layers` hidden layers of `width` units, whose functions are sine, Gaussian, tanh and absolute value by turns.

    The inputs are x and y, the shorter side of the picture from -1 to 1, the distance from the centre, and 1. Every
    layer also gets the constant; a sigmoid makes colours. Weights are in units of `gain` / sqrt(inputs of the unit), so
    that a standard normal genome paints something; `sd` is the deviation of the first genome. Departure from Stanley:
    no connections past a layer.
    """

    scalable = True

    def __init__(
        self, size: Size = None, layers: int = 3, width: int = 8, sd: float = 1.0, gain: float = 2.0
    ) -> None:
        if layers < 1:
            raise InputError(f"encoding.layers={layers}: write 1 hidden layer or more.")
        if width < ACTIVATIONS:
            raise InputError(
                f"encoding.width={width}: write {ACTIVATIONS} units or more, one of each function."
            )
        if sd <= 0:
            raise InputError(f"encoding.sd={sd}: write a standard deviation above 0; 1 is usual.")
        if gain <= 0:
            raise InputError(f"encoding.gain={gain}: write a scale of weights above 0; 2 is usual.")
        self.size, self.layers, self.width, self.sd, self.gain = (
            size_of(size),
            layers,
            width,
            sd,
            gain,
        )
        # units and inputs of each layer; the constant is the last input
        self.shapes = [(width, INPUTS), *[(width, width + 1)] * (layers - 1), (COLOURS, width + 1)]
        self.lengths = [units * inputs for units, inputs in self.shapes]
        self.points = None if self.size is None else points_of(self.size, torch.device("cpu"))

    def start(self, rows: Rows) -> Genome:
        return self.sd * rows.normal(sum(self.lengths))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        assert self.points is not None
        parts = [
            part.unflatten(1, shape)
            for part, shape in zip(genome.split(self.lengths, 1), self.shapes, strict=True)
        ]
        values = _activated(self._scaled(parts[0]) @ self.points)
        for part in parts[1:-1]:
            values = _activated(self._summed(part, values))
        return self._summed(parts[-1], values).sigmoid().view(-1, COLOURS, *self.size)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every network is a picture

    def at(self, size: tuple[int, int]) -> CppnWeights:
        other = CppnWeights(size, self.layers, self.width, self.sd, self.gain)
        return other if self.points is None else other.to(self.points.device)

    def to(self, device: torch.device) -> CppnWeights:
        other = CppnWeights(self.size, self.layers, self.width, self.sd, self.gain)
        if other.points is not None:
            other.points = other.points.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome

    def _scaled(self, part: Tensor) -> Tensor:
        return part * (self.gain / part.shape[2] ** 0.5)

    def _summed(self, part: Tensor, values: Tensor) -> Tensor:
        """What comes to each unit, [r, units, points], of `values` [r, inputs - 1, points] and the constant."""
        weights = self._scaled(part)
        return torch.baddbmm(weights[..., -1:], weights[..., :-1], values)


def _activated(sums: Tensor) -> Tensor:
    """Unit 0 a sine, 1 a Gaussian, 2 a tanh, 3 an absolute value, 4 a sine again; then they stand by function."""
    sine, gaussian, tanh, absolute = (sums[:, first::ACTIVATIONS] for first in range(ACTIVATIONS))
    return torch.cat(
        [(torch.pi * sine).sin(), (-gaussian.square()).exp(), tanh.tanh(), absolute.abs()], dim=1
    )
