"""Compositional pattern-producing networks (CPPNs) of fixed topology: genomes are weights, [r, d].

A CPPN (Stanley 2007) computes the colour of a point from its coordinates. Here its layers are
fully connected and only its weights, a few hundred, are searched, so that any search can be used,
gradient searches too; in `synth.encodings.cppn` the topology evolves.
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
    """A CPPN of full layers, whose units are sine, Gaussian, tanh and absolute value in turn.

    The inputs are x and y (the shorter side of the image from -1 to 1), the distance from the
    centre, and 1. Every further layer has a constant input too; a sigmoid gives the colours.
    Weights are in units of `gain` / sqrt(inputs of the unit), so that a standard normal genome
    decodes to a structured image. Departure from Stanley: no connections that skip a layer. It
    defines no baseline.

    Args:
        size: height and width; those that the network reads where None.
        layers: hidden layers, 1 or more.
        width: units per hidden layer, 4 or more; 3 layers of 8 have 203 weights.
        sd: standard deviation of the first genome, above 0.
        gain: scale of the weights, above 0: larger gives finer structure.

    Raises:
        InputError: for numbers outside these ranges.
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
        self.size = size_of(size)
        self.layers = layers
        self.width = width
        self.sd = sd
        self.gain = gain
        # units and inputs of each layer; the constant is the last input
        self.shapes = [(width, INPUTS), *[(width, width + 1)] * (layers - 1), (COLOURS, width + 1)]
        self.lengths = [units * inputs for units, inputs in self.shapes]
        self.points = None if self.size is None else points_of(self.size, torch.device("cpu"))

    def start(self, rows: Rows) -> Genome:
        return self.sd * rows.normal(sum(self.lengths))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        assert self.points is not None
        first, *parts = self.matrices(genome)
        values = _activated(first @ self.points)
        for part in parts[:-1]:
            values = _activated(_weighted_sums(part, values))
        return _weighted_sums(parts[-1], values).sigmoid().view(-1, COLOURS, *self.size)

    def matrices(self, genome: Genome) -> list[Tensor]:
        """The weights of each layer, [r, units, inputs]; the last input is the constant."""
        parts = zip(genome.split(self.lengths, 1), self.shapes, strict=True)
        return [part.unflatten(1, shape) * (self.gain / shape[1] ** 0.5) for part, shape in parts]

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # all weights are legal

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


def _weighted_sums(weights: Tensor, values: Tensor) -> Tensor:
    """The input of each unit, [r, units, points].

    `values` [r, inputs - 1, points] are the outputs of the layer before; the last input is the
    constant.
    """
    return torch.baddbmm(weights[..., -1:], weights[..., :-1], values)


def _activated(sums: Tensor) -> Tensor:
    """Outputs of units (sine, Gaussian, tanh, absolute value in turn), sorted by function."""
    sine, gaussian, tanh, absolute = (sums[:, first::ACTIVATIONS] for first in range(ACTIVATIONS))
    return torch.cat(
        [(torch.pi * sine).sin(), (-gaussian.square()).exp(), tanh.tanh(), absolute.abs()], dim=1
    )
