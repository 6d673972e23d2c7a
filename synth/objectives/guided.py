"""Guided DeepDream: how well each place of the image matches the best feature of a guide image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Images, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError
from synth.networks import reading
from synth.networks.style_layers import dream_layer
from synth.objectives._layers import layer_names, resolve_layer, select_item

CHUNK = 1 << 24  # dot products that are in memory at a time, 64 MiB


class Guided(Objective):
    """1/N sum_p max_q x_p . y_q for features x of the image at places p and y of the guide at q.

    N is the number of activations in x. The gradient at the layer is y / N of the best match at
    each place: the features of the image move towards the most similar ones of the guide
    (google/deepdream, ``dream.ipynb``, whose scale has no 1/N; with it a guided term and an
    `Energy` of one `weight` change an image about as much). The best match is found without
    gradient, as there.

    The guide is read once, in `bind`, in its own aspect ratio.

    Args:
        guide: a path or the name of a bundled picture.
        layer: a spatial layer, or a list of layers (an item each); by default the network's
            `dream_layer`.
        longest: the longer side of the guide in pixels, 8 to 8192; by default that of the network's
            own size, at which its features were trained.
        rectified: read a layer after its normalisation and ReLU.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: without a guide, or for a `longest` out of range; in `bind`, for a layer that
            the network lacks or that has no places, or a guide that is too small for it.
    """

    def __init__(
        self,
        guide: data.Source | None,
        layer: str | Sequence[str] | None = None,
        longest: int | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        if guide is None:
            raise InputError("guide: there is no picture to follow; write guide=PATH.")
        if longest is not None and not 8 <= longest <= 8192:
            raise InputError(
                f"objective longest={longest}: write the guide's longer side, from 8 to 8192 "
                "pixels."
            )
        self.picture = data.picture(guide, "guide")
        self.guide = guide
        self.layers = layer_names(layer)
        self.longest = longest
        self.rectified = rectified
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundGuided(self, network)

    def image(self, network: Network, layers: Sequence[str]) -> Images:
        """The guide at the size that `network` reads it at: [1, 3, h, w]."""
        width, height = self.picture.image.size
        share = (self.longest or max(network.size)) / max(width, height)
        size = round(height * share), round(width * share)
        if min(size) < 1 or not network.reads(size, layers):
            raise InputError(
                f"guide={self.guide}: at {size[1]}x{size[0]} pixels it is too small for "
                f"{network.name} at {', '.join(layers)}; name another picture, an earlier layer=, "
                "or a larger objective longest."
            )
        return self.picture.at(size)[None]


class _BoundGuided(BoundObjective):
    def __init__(self, guided: Guided, network: Network) -> None:
        self.rectified = guided.rectified
        layers = [dream_layer(network)] if guided.layers is None else guided.layers
        self.item_layers = [resolve_layer(network, name, self.rectified) for name in layers]
        for name in self.item_layers:
            if len(network.layers[name]) != 3:
                raise InputError(
                    f"layer={name}: a guide is followed place by place, and {name} has no places; "
                    f"name a spatial layer, {_last_spatial(network)} or an earlier one."
                )
        self.layers = tuple(dict.fromkeys(self.item_layers))
        self.items = [Target(name) for name in self.item_layers]
        image = guided.image(network, self.layers)
        activations = reading.activations(network, image, self.layers)
        self.features = {name: self._flat(activations[name])[0] for name in self.layers}  # [c, q]
        for name, features in self.features.items():
            if not bool(features.any()):
                raise InputError(
                    f"guide={guided.guide}: all activations of {name} are 0 on it; name another "
                    "picture or layer=."
                )

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = {
            name: self._match(name, readout.activations[name])
            for name in self.layers
            if name in readout.activations
        }
        values = [scores.get(name) for name in self.item_layers]
        return {"guided": select_item(values, readout.rows.item)}

    def layers_of(self, item: int) -> tuple[str, ...]:
        return (self.item_layers[item if len(self.item_layers) > 1 else 0],)

    def _match(self, name: str, activations: Tensor) -> Tensor:
        """The score [r] of activations [r, c, h, w] at layer `name`."""
        values = self._flat(activations)
        matches = best_matches(values.detach(), self.features[name])
        return (values * matches).sum((1, 2)) / values[0].numel()

    def _flat(self, values: Tensor) -> Tensor:
        return (values.clamp_min(0) if self.rectified else values).flatten(2)


def best_matches(values: Tensor, features: Tensor, chunk: int = CHUNK) -> Tensor:
    """For each place of `values` the column of `features` with the largest dot product.

    No gradient passes.

    Args:
        values: features of the images, [r, c, p].
        features: features of the guide, [c, q].
        chunk: the most dot products that are in memory at a time (at least those of one place).

    Returns:
        The columns, [r, c, p].
    """
    count, channels, places = values.shape
    with torch.no_grad():
        columns = values.transpose(0, 1).reshape(channels, count * places)
        step = max(1, chunk // features.shape[1])
        best = torch.cat([(features.T @ part).argmax(0) for part in columns.split(step, dim=1)])
        return features[:, best].view(channels, count, places).transpose(0, 1)


def _last_spatial(network: Network) -> str:
    return [name for name, shape in network.layers.items() if len(shape) == 3][-1]
