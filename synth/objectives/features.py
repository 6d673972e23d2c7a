"""Distance of a layer's features to those of a picture: feature inversion, content loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError
from synth.networks import reading
from synth.networks.style_layers import content_layer
from synth.objectives._layers import layer_names, resolve_layer, select_item
from synth.objectives._reference import ReferenceObjective

BATCH = 32


class FeatureMatch(Objective):
    """Minus the relative squared distance of features: -||Phi(x) - Phi_0||^2 / ||Phi_0||^2.

    Phi is the activation of a layer, Phi_0 that of the picture at the size of x (scaled to cover
    it, then cropped). 0 means the same features, -1 is the distance of features that are all 0. The
    distance is taken place by place, so a transform has to keep the size of the image.

    Source: Mahendran & Vedaldi 2015, equation 3.

    Args:
        layer: a layer, or a list of layers (an item each). By default `content_layer`: relu4_1 of a
            VGG, features.6 of SqueezeNet 1.1, which still keep the layout of the picture.
        image: the picture, a path or the name of a bundled one.
        images: several pictures, an item each; takes the place of `image` and `content`.
        content: another word for `image`, where there is a style too; takes the place of `image`.
        rectified: read a layer after its normalisation and ReLU.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: where there is no picture, or there are several pictures and several layers; in
            `bind`, for a layer that the network lacks.
    """

    def __init__(
        self,
        layer: str | Sequence[str] | None = None,
        image: data.Source | None = None,
        images: data.Sources | None = None,
        content: data.Source | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        self.layers = None if layer is None else layer_names(layer)
        if images is not None:
            self.pictures = data.pictures(images)
        elif content:
            self.pictures = [data.picture(content, "content")]
        elif image is not None:
            self.pictures = [data.picture(image)]
        else:
            raise InputError(
                "image: whose features? Write image=PATH, or images=FOLDER for several."
            )
        if self.layers is not None and len(self.layers) > 1 and len(self.pictures) > 1:
            raise InputError(
                f"layer: {len(self.layers)} layers and {len(self.pictures)} pictures; name several "
                "of one of them."
            )
        self.rectified = rectified
        self.weight = weight
        # An item of `images` is named by its picture, also a single one: an item's random numbers
        # depend on its name, and they should be the same alone as beside others.
        self.by_picture = images is not None and len(self.layers or [""]) == 1

    def bind(self, network: Network) -> BoundObjective:
        names = self.layers if self.layers is not None else [content_layer(network)]
        layers = [resolve_layer(network, name, self.rectified) for name in names]
        item_names = [picture.name for picture in self.pictures] if self.by_picture else names
        return _BoundFeatures(layers, item_names, self.pictures, network)


class _BoundFeatures(ReferenceObjective):
    """Against `pictures`: one, or one an item. `item_layers` is one layer, or one an item."""

    def __init__(
        self,
        item_layers: list[str],
        item_names: Sequence[str],
        pictures: Sequence[data.Picture],
        network: Network,
    ) -> None:
        self.item_layers = item_layers
        self.pictures = pictures
        self.network = network
        self.layers = tuple(dict.fromkeys(item_layers))
        self.items = [Target(name) for name in item_names]
        self.targets: dict[str, Tensor] = {}  # of each layer, the pictures' features [n, ...]
        self.norms: dict[str, Tensor] = {}  # of each layer, their squared norms [n]

    def measure_targets(self, size: tuple[int, int]) -> None:
        self.targets = reading.activations(
            self.network, self.pictures, self.layers, size=size, batch=BATCH
        )
        self.norms = {name: squared_norms(values) for name, values in self.targets.items()}

    def compare(self, readout: Readout) -> Mapping[str, Tensor]:
        picture = None if len(self.pictures) == 1 else readout.picture_index
        distances = {
            name: self._distance(name, readout.activations[name], picture)
            for name in self.layers
            if name in readout.activations
        }
        values = [distances.get(name) for name in self.item_layers]
        return {"features": -select_item(values, readout.rows.item)}

    def layers_of(self, item: int) -> tuple[str, ...]:
        return (self.item_layers[item if len(self.item_layers) > 1 else 0],)

    def _distance(self, name: str, values: Tensor, picture: Tensor | None) -> Tensor:
        """The relative distance [r] of `values` at layer `name`; `picture` [r] is each row's."""
        target = self.targets[name]
        norm = self.norms[name]
        if picture is not None:
            target = target[picture]
            norm = norm[picture]
        if values.shape[1:] != target.shape[1:]:
            raise InputError(
                f"transform: it changes the size of the image, and {name} is compared place by "
                "place; write transform=none, or one that keeps the size."
            )
        return relative_distance(values, target, norm)


def squared_norms(values: Tensor) -> Tensor:
    """||v||^2 of the features [n, ...] of each picture: [n].

    1 for features that are all 0, so that the distance to them is not divided by 0.
    """
    squares = values.square().flatten(1).sum(1)
    return torch.where(squares > 0, squares, 1.0)


def relative_distance(values: Tensor, targets: Tensor, norms: Tensor) -> Tensor:
    """||v - t||^2 / `norms` of features [n, ...] and their targets [n or 1, ...]: [n]."""
    squares = (values - targets).square()
    return squares.sum(tuple(range(1, values.ndim))) / norms  # flattening first would copy
