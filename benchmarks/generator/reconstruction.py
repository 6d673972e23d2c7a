"""Fidelity of codes: how often a network predicts the same for an image drawn from its code.

All validation pictures, none of which the generator was trained on, drawn and rounded to 8 bits.
Agreement of mini AlexNet: both get the same class. Of SqueezeNet 1.1, which took no part: its first
class of the picture is among its first five of the one drawn. SYNTH_PIXEL_GENERATOR names a
generator trained with the pixel loss alone.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from benchmarks.generator.material import (
    BATCH,
    GENERATOR,
    SIDES,
    mini_alexnet,
    top_classes,
    validation,
)
from synth.networks.generator import read_generator


def rows() -> list[tuple[str, str]]:
    """Agreement of both networks, and the error of pixels, for the generator and its baseline."""
    baseline = os.environ.get("SYNTH_PIXEL_GENERATOR")
    images, _ = validation()
    table = []
    for name, file in (("generator", GENERATOR), ("pixel loss alone", baseline)):
        if name != "generator" and file is None:
            continue
        reconstructed, agreement = _drawn(images, file)
        top_five = [
            (top_classes(images, 1, side) == top_classes(reconstructed, 5, side))
            .any(1)
            .float()
            .mean()
            for side in SIDES
        ]
        error = float((reconstructed - images).square().mean() / images.var())
        numbers = (
            f"mini AlexNet gives the same class to {agreement:.1%}; the first class of SqueezeNet "
            f"1.1 is in its first five of {top_five[0]:.1%} at {SIDES[0]} px, {top_five[1]:.1%} at "
            f"{SIDES[1]} px; squared error {error:.2f} of the variance"
        )
        table.append((f"{len(images)} validation pictures drawn from their codes, {name}", numbers))
    return table


def _drawn(images: Tensor, file: str | None) -> tuple[Tensor, float]:
    """Images drawn from the codes of `images`, in 8 bits, and how often the class is the same."""
    network = mini_alexnet()
    module, about = read_generator(file, "cpu")
    reconstructed = []
    matches = []
    with torch.inference_mode():
        for part in images.split(BATCH):
            activations = network.read(part, [about.layer, "output"])
            reconstructed.append((module(activations[about.layer]) * 255).round() / 255)
            matches.append(network(reconstructed[-1]).argmax(1) == activations["output"].argmax(1))
    return torch.cat(reconstructed), float(torch.cat(matches).float().mean())
