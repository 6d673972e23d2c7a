"""How near a picture is, in what a layer holds of it, to another picture: feature inversion, and content of a style.

What a layer keeps of a picture is what comes back of it when only that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError
from synth.networks import reading
from synth.networks.style_layers import style_layers
from synth.objectives.energy import layers_of, tapped

BATCH = 32


class FeatureMatch(Objective):
    """Minus the squared distance of features, over what they are themselves: -||Phi(x) - Phi_0||^2 / ||Phi_0||^2.

    Phi is the output of `layer`, Phi_0 that of the picture at the size of x (scaled to cover it, then cropped).
    0 is the same features, -1 as far away as none at all. `layer` may be a list: then each layer is an item of its
    own. Null leaves it to the network: the last but one of its `style_layers` (relu4_1 of a VGG, features.6 of SqueezeNet
    1.1), where things still stand where they were. The picture is `image` or `content`, two words for one thing, or
    `images`, an item each, which take the place of the other two. With `rectified` a layer means what comes out of
    it after its normalisation and ReLU.

    Source: Mahendran & Vedaldi 2015, equation 3.
    """

    def __init__(
        self,
        layer: str | Sequence[str] | None = None,
        image: str | None = None,
        images: str | Sequence[str] | None = None,
        content: str | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        self.layers = None if layer is None else layers_of(layer)
        if images is not None:
            self.pictures = data.pictures(images)
        elif (one := content or image) is not None:
            self.pictures = [data.picture(one, "content" if content else "image")]
        else:
            raise InputError(
                "image: whose features? Write image=PATH, or images=FOLDER for several."
            )
        if self.layers is not None and len(self.layers) > 1 and len(self.pictures) > 1:
            raise InputError(
                f"layer: {len(self.layers)} layers and {len(self.pictures)} pictures; name several of one of them."
            )
        self.rectified, self.weight = rectified, weight
        # items of `images` are called by their pictures, one alone too: it is to draw as it would beside others
        self.by_picture = images is not None and len(self.layers or [""]) == 1

    def bind(self, network: Network) -> BoundObjective:
        names = self.layers if self.layers is not None else [content_layer(network)]
        layers = [tapped(network, name, self.rectified) for name in names]
        told = [picture.name for picture in self.pictures] if self.by_picture else names
        return _BoundFeatures(layers, told, self.pictures, network)


class _BoundFeatures(BoundObjective):
    def __init__(
        self,
        layers: Sequence[str],
        names: Sequence[str],
        pictures: Sequence[data.Picture],
        network: Network,
    ) -> None:
        self.each, self.names, self.pictures, self.network = (
            list(layers),
            list(names),
            list(pictures),
            network,
        )
        self.layers = tuple(dict.fromkeys(layers))
        self.items = [Target(name) for name in names]
        self.size: tuple[int, int] | None = None
        self.wanted: dict[str, Tensor] = {}
        self.lengths: dict[str, Tensor] = {}

    def at(self, size: tuple[int, int]) -> BoundObjective:
        if size == self.size:
            return self
        other = _BoundFeatures(self.each, self.names, self.pictures, self.network)
        other._look(size)
        return other

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        if self.size is None:  # nobody said at which size: that of the pictures
            self._look((readout.images.shape[2], readout.images.shape[3]))
        picture = None if len(self.pictures) == 1 else readout.picture_index
        distances = {
            name: self._distance(name, readout.activations[name], picture) for name in self.layers
        }
        if len(self.each) == 1:
            return {"features": -distances[self.each[0]][:, None]}
        # of all layers, those of its own item's: a choice on the device, that nobody has to wait for
        found = torch.stack([distances[name] for name in self.each], dim=1)
        return {"features": -found.gather(1, readout.rows.item[:, None])}

    def _distance(self, name: str, values: Tensor, picture: Tensor | None) -> Tensor:
        wanted, length = self.wanted[name], self.lengths[name]
        if picture is not None:
            wanted, length = wanted[picture], length[picture]
        if values.shape[1:] != wanted.shape[1:]:
            raise InputError(
                f"transform: it shows the network pictures of another size, and {name} is compared place by place; "
                "write transform=none, or one that keeps the size."
            )
        return distance(values, wanted, length)

    def _look(self, size: tuple[int, int]) -> None:
        """The features of the pictures at `size`."""
        self.size = size
        self.wanted = reading.activations(
            self.network, self.pictures, self.layers, size=size, batch=BATCH
        )
        self.lengths = {name: squared_lengths(values) for name, values in self.wanted.items()}


def content_layer(network: Network) -> str:
    """Where the content of a picture is read from, if nobody says: the last but one of the network's `style_layers`."""
    return style_layers(network)[-2:][0]


def squared_lengths(values: Tensor) -> Tensor:
    """||v||^2 of each picture's features, [n]; 1 where a layer says nothing of it, whose distance is a plain one."""
    squares = values.square().flatten(1).sum(1)
    return torch.where(squares > 0, squares, 1.0)


def distance(values: Tensor, wanted: Tensor, length: Tensor) -> Tensor:
    """||v - w||^2 / `length` of features [n, ...] and those wanted [n or 1, ...]: [n]."""
    return (values - wanted).square().sum(
        tuple(range(1, values.ndim))
    ) / length  # flattening would copy it
