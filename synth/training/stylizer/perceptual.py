"""Takes pictures and the photographs they were drawn from; gives the loss that a style transfer descends, of each.

The terms are the objectives of recipe=style_transfer, read in the same way from the same network: what a stylizer
reaches in one pass can be held against what that search reaches in so many steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import BoundObjective, Images, Readout, Rows
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives.features import content_layer, relative_distance, squared_norms
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.objectives.weighted import WeightedSum


class PerceptualLoss:
    """L = style + content + tv of each picture, each term times its weight: [n] from pictures [n, 3, h, w].

    `style` is a `GramMatch`, `variation` a `TotalVariation`; the content is ||Phi(x) - Phi(p)||^2 / ||Phi(p)||^2 of
    the photograph p, as `FeatureMatch` has it, at `layer` (the network's own choice where null), times
    `content_weight`. Each term is minus its score. `size` is height and width of the pictures: the style is seen
    beside them.

    Source: Johnson et al. 2016, section 3.2, in the units of `GramMatch` and `FeatureMatch`.

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
        self.network, self.content_weight, self.size = network, content_weight, size
        bound = WeightedSum({"style": style, "tv": variation}).bind(network)
        self.layer = network.rectified(content_layer(network) if layer is None else layer)
        self.style_layers = bound.layers
        self.layers = tuple(dict.fromkeys((*self.style_layers, self.layer)))
        if not network.reads(size, self.layers):
            raise InputError(
                f"layers=, layer=: {network.name} cannot read pictures of {size[0]}x{size[1]} at all of "
                f"{', '.join(self.layers)}; name earlier layers, or another size= and crop=."
            )
        self._at: BoundObjective = bound.at(size)

    def __call__(self, images: Images, photographs: Images) -> dict[str, Tensor]:
        """``style``, ``content`` and ``tv``, weighted, [n] each; the gradient is by `images` alone."""
        with torch.no_grad():
            wanted = self.network.read(photographs, (self.layer,))[self.layer]
        activations = self.network.read(images, self.layers)
        nobody = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        terms = {
            name: -score[:, 0]
            for name, score in self._at(Readout(activations, images, Rows(nobody, nobody))).items()
        }
        content = relative_distance(activations[self.layer], wanted, squared_norms(wanted))
        return {
            "style": terms["style"],
            "content": self.content_weight * content,
            "tv": terms["tv"],
        }
