"""What a code keeps: how often a network sees in the picture drawn from a code what it saw in the picture of the code.

All validation pictures, none of which the generator was trained on, drawn and rounded to 8 bits. Agreement of mini
AlexNet: both get the same class. Of SqueezeNet 1.1, which took no part: the class that it puts first in the picture is
among its first five in the one drawn. SYNTH_PIXEL_GENERATOR names a generator trained with the loss of pixels alone.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from benchmarks.generator.material import BATCH, GENERATOR, SIDES, first, known, validation
from synth.networks.generator import read_generator


def rows() -> list[tuple[str, str]]:
    """Agreement of both networks, and the error of pixels, for the generator and its baseline."""
    baseline = os.environ.get("SYNTH_PIXEL_GENERATOR")
    images, _ = validation()
    told = []
    for name, file in (("generator", GENERATOR), ("pixel loss alone", baseline)):
        if name != "generator" and file is None:
            continue
        drawn, agreed = _drawn(images, file)
        others = [
            (first(images, 1, side) == first(drawn, 5, side)).any(1).float().mean()
            for side in SIDES
        ]
        error = float((drawn - images).square().mean() / images.var())
        told.append((
            f"{len(images)} validation pictures drawn from their codes, {name}",
            f"mini AlexNet gives the same class to {agreed:.1%}; what SqueezeNet 1.1 puts first is in its first five "
            f"of {others[0]:.1%} at {SIDES[0]} px, {others[1]:.1%} at {SIDES[1]} px; squared error {error:.2f} of the "
            "variance",
        ))  # fmt: skip
    return told


def _drawn(images: Tensor, file: str | None) -> tuple[Tensor, float]:
    """Pictures drawn from the codes of `images`, in 8 bits, and how often mini AlexNet gives both the same class."""
    network = known()
    module, origin = read_generator(file, "cpu")
    drawn, same = [], []
    with torch.inference_mode():
        for part in images.split(BATCH):
            activations = network.read(part, [origin.layer, "output"])
            drawn.append((module(activations[origin.layer]) * 255).round() / 255)
            same.append(network(drawn[-1]).argmax(1) == activations["output"].argmax(1))
    return torch.cat(drawn), float(torch.cat(same).float().mean())
