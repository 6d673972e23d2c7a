"""How unlike one another the pictures of a row are: minus the mean cosine between their styles in a layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Objective, Readout
from synth.core.network import Network
from synth.objectives.gram import gram


class Diversity(Objective):
    """-1 / (m - 1) sum_{j != i} cos(G_i, G_j) for picture i of the m that a genome is decoded to (encoding=several_images).

    G is the Gram matrix of `layer` after normalisation and ReLU, averaged over the views of the picture. The score of
    a row, the mean over its pictures, is minus the mean cosine over all pairs: -1 where all are in one style, 0 where
    no channels go together in two of them. 0 where a genome is a single picture. Source: lucid's ``diversity``,
    which sums over pairs, and the appendix of Olah, Mordvintsev & Schubert 2017. The number of a row is its own: other
    rows, of other units, may look alike.
    """

    def __init__(self, layer: str, weight: float = 1.0) -> None:
        self.layer, self.weight = layer, weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundDiversity(network.rectified(self.layer))


class _BoundDiversity(BoundObjective):
    def __init__(self, layer: str) -> None:
        self.layers, self.layer = (layer,), layer

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values, facets = readout.activations[self.layer], readout.images_per_genome
        grams = (
            gram(values.reshape(*values.shape[:2], -1, 1))
            .unflatten(0, (-1, facets, readout.views))
            .mean(2)
        )
        flat = functional.normalize(grams.flatten(2), dim=2, eps=1e-10)
        cosines = flat @ flat.mT  # [r, facets, facets]
        others = cosines.sum(2) - torch.diagonal(cosines, dim1=1, dim2=2)
        return {
            "diversity": -(others / max(1, facets - 1))
            .flatten()
            .repeat_interleave(readout.views)[:, None]
        }
