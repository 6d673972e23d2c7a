"""Diversity of the images of one genome: minus the mean cosine between their Gram matrices."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Objective, Readout
from synth.core.network import Network
from synth.networks.style_layers import dream_layer
from synth.objectives.gram import gram


class Diversity(Objective):
    """-1 / (m - 1) sum_{j != i} cos(G_i, G_j) for image i of the m that a genome decodes to.

    G is the Gram matrix of `layer` after normalisation and ReLU, averaged over the views of the
    image. The score of a genome, the mean over its images, is minus the mean cosine over all pairs:
    -1 where all have one style, 0 where no channels are active together in two of them. It is 0
    where a genome decodes to a single image; encoding=several_images gives several. Genomes are
    never compared with one another.

    Source: lucid's ``diversity``, which sums over pairs, and the appendix of Olah, Mordvintsev &
    Schubert 2017.

    Args:
        layer: the layer whose Gram matrices are compared; by default the network's `dream_layer`.
        weight: factor of this term in a weighted sum.
    """

    def __init__(self, layer: str | None = None, weight: float = 1.0) -> None:
        self.layer = layer
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundDiversity(network.rectified(self.layer or dream_layer(network)))


class _BoundDiversity(BoundObjective):
    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.layers = (layer,)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = readout.activations[self.layer]
        count = readout.images_per_genome
        grams = gram(values.reshape(*values.shape[:2], -1, 1))
        grams = grams.unflatten(0, (-1, count, readout.views)).mean(2)
        flat = functional.normalize(grams.flatten(2), dim=2, eps=1e-10)
        cosines = flat @ flat.mT  # [genomes, count, count]
        others = cosines.sum(2) - torch.diagonal(cosines, dim1=1, dim2=2)
        scores = -(others / max(1, count - 1)).flatten()
        return {"diversity": scores.repeat_interleave(readout.views)[:, None]}
