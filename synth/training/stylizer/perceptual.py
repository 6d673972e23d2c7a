"""The perceptual loss of feed-forward style transfer: style, content and total variation.

The terms are the objectives of ``recipe=style_transfer``, read in the same way from the same
network, so that what a stylizer reaches in one forward pass is comparable with what that search
reaches in many steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import BoundObjective, Images, Readout, Rows
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.errors import InputError
from synth.networks.style_layers import content_layer
from synth.objectives.features import relative_distance, squared_norms
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation


class PerceptualLoss:
    """``L = style + content + tv`` of each picture, each term times its weight; never averaged.

    The content term of a picture x and its photograph p is
    ``||Phi(x) - Phi(p)||^2 / ||Phi(p)||^2``, as in `FeatureMatch`; each term is minus the score of
    its objective.

    Source: Johnson et al. 2016, section 3.2, in the units of `GramMatch` and `FeatureMatch`.

    Args:
        network: whose activations are compared.
        style: the style objective, with its weight.
        content_weight: weight of the content term.
        variation: the total variation objective, with its weight.
        size: height and width of the pictures; the style picture is scaled to them.
        layer: of the content; None for the network's default.

    Raises:
        InputError: for layers that the network lacks, and for a size that is too small for them.
    """

    def __init__(
        self,
        network: Network,
        style: GramMatch,
        content_weight: float,
        variation: TotalVariation,
        size: tuple[int, int],
        layer: str | None = None,
    ) -> None:
        self.network = network
        self.content_weight = content_weight
        self.size = size
        bound = WeightedSum({"style": style, "tv": variation}).bind(network)
        self.layer = network.rectified(content_layer(network) if layer is None else layer)
        self.style_layers = bound.layers
        self.layers = tuple(dict.fromkeys((*self.style_layers, self.layer)))
        if not network.reads(size, self.layers):
            raise InputError(
                f"layers=, layer=: {network.name} cannot read pictures of {size[0]}x{size[1]} "
                f"at all of {', '.join(self.layers)}; "
                "name earlier layers, or another size= and crop=."
            )
        self._at: BoundObjective = bound.at(size)

    def __call__(self, images: Images, photographs: Images) -> dict[str, Tensor]:
        """The weighted terms of each picture.

        Args:
            images: what was drawn, ``[n, 3, h, w]``; the gradient is taken by these alone.
            photographs: what it was drawn from, of the same shape.

        Returns:
            ``style``, ``content`` and ``tv``, ``[n]`` each.
        """
        fast = images.requires_grad  # in training; what is only measured is read in float32
        with torch.no_grad():
            target = self.network.read(photographs, (self.layer,), fast=fast)[self.layer]
        activations = self.network.read(images, self.layers, fast=fast)
        zeros = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        scores = self._at(Readout(activations, images, Rows(zeros, zeros)))
        terms = {name: -score[:, 0] for name, score in scores.items()}
        content = relative_distance(activations[self.layer], target, squared_norms(target))
        return {
            "style": terms["style"],
            "content": self.content_weight * content,
            "tv": terms["tv"],
        }
