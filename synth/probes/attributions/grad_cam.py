"""Grad-CAM: the maps of a deep layer, each weighted by the mean gradient of the score there."""

from __future__ import annotations

import itertools
import math
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core.network import OUTPUT, Network
from synth.core.types import Images
from synth.errors import InputError
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.score import Score

POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)

_CHOSEN: WeakKeyDictionary[Network, dict[str, str]] = WeakKeyDictionary()


class GradCam(Attribution):
    """The positive part of the weighted sum of a layer's maps, enlarged to the picture.

    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks". The tokens of
    a transformer are read as maps.

    Args:
        layer: whose maps are weighted; by default `deepest_map`.
    """

    view = "overlay"

    def __init__(self, layer: str | None = None) -> None:
        self.layer = layer

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        coarse = self.coarse(score, images, neurons).clamp(min=0)
        return functional.interpolate(coarse, images.shape[2:], mode="bilinear")

    def coarse(self, score: Score, images: Images, neurons: Tensor) -> Tensor:
        """The weighted sum [n, 1, h, w] at the layer's own places, with its negative values."""
        layer = self.layer or deepest_map(score.network, score.layer)
        maps = []
        for part, own in zip(images.split(score.rows), neurons.split(score.rows), strict=True):
            activations, gradients = score.network.read_with_gradients(
                part, [layer], lambda values, own=own: score.of(values, own), score.layer
            )
            weights = gradients[layer].mean((2, 3), keepdim=True)
            maps.append((weights * activations[layer]).sum(1, keepdim=True))
        return torch.cat(maps)


class GuidedGradCam(Attribution):
    """Guided backpropagation times Grad-CAM.

    Source: Selvaraju et al. 2017.

    Args:
        layer: of Grad-CAM.
    """

    view = "colour"

    def __init__(self, layer: str | None = None) -> None:
        self.cam = GradCam(layer)

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        return score.gradient(images, neurons, guided=True) * self.cam(score, images, neurons, keys)


def check_map(network: Network, name: str, word: str = "cam_layer") -> str:
    """The name of a layer that has places.

    Raises:
        InputError: no such layer, or one without.
    """
    shape = network.layers[network.layer(name)]
    if not _has_places(shape):
        raise InputError(
            f"{word}={name}: its output is {' x '.join(map(str, shape))}, without places; write an "
            "earlier layer (synth recipe=layers)."
        )
    return name


def deepest_map(network: Network, before: str = OUTPUT) -> str:
    """The deepest layer that has places on which the output depends, and is no pooling.

    Of a transformer that reads its class token alone, the other tokens of the last block matter no
    more: it is a layer before the last attention.

    Args:
        network: the network.
        before: the layer that it has to come before.

    Raises:
        InputError: there is none.
    """
    choices = _CHOSEN.setdefault(network, {})
    if before not in choices:
        choices[before] = _deepest_map(network, before)
    return choices[before]


def _deepest_map(network: Network, before: str) -> str:
    names = _maps(network, before)
    noise = torch.rand(1, 3, *network.size, generator=torch.Generator().manual_seed(0))
    _, gradients = network.read_with_gradients(
        noise.to(network.device), names, lambda values: values.flatten(1).sum(1), before
    )
    for name in reversed(names):
        if bool(gradients[name].any()):
            return name
    raise InputError(
        f"grad_cam: {network.name} has no layer of maps before {before}; leave grad_cam and "
        "guided_grad_cam out of methods=."
    )


def _maps(network: Network, before: str) -> list[str]:
    """Layers of maps. What has more places than a layer before it is none: heads, attentions."""
    names, fewest = [], math.prod(network.size)
    for name in itertools.takewhile(lambda name: name != before, network.layers):
        shape = network.layers[name]
        if _has_places(shape) and math.prod(shape[1:]) <= fewest:
            fewest = math.prod(shape[1:])
            if not isinstance(network.part(name), POOLS):
                names.append(name)
    return names


def _has_places(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and min(shape[1:]) > 1
