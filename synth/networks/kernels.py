"""Kernels: the weights of a layer as small pictures, one for each unit and input channel."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.core.network import OUTPUT, Network
from synth.core.types import Images
from synth.errors import InputError

COLOURS = ("red", "green", "blue")  # channels of a layer that reads pixels


def first_weighted_layer(network: Network) -> str:
    """The first convolution or linear layer, which reads pixels.

    Raises:
        InputError: the network has none.
    """
    for name in network.layers:
        if name != OUTPUT and isinstance(network.part(name), nn.Conv2d | nn.Linear):
            return name
    raise InputError(f"layer: {network.name} has no convolution or linear layer to look at.")


def kernels(network: Network, layer: str) -> Tensor:
    """The weights of a convolution, or of a linear classifier on pixels, [units, channels, h, w].

    The channels of a convolution with groups are those of the unit's own group.

    Raises:
        InputError: a layer without weights, or whose weights have no rows and columns.
    """
    own = kernels_if_any(network, network.layer(layer))
    if own is not None:
        return own
    linear = layer != OUTPUT and isinstance(network.part(layer), nn.Linear)
    lack = "weights without rows and columns" if linear else "no weights of its own"
    raise InputError(
        f"layer={layer}: it has {lack}; write a convolution, such as "
        f"{first_weighted_layer(network)} (synth recipe=layers)."
    )


def kernels_if_any(network: Network, layer: str) -> Tensor | None:
    """`kernels`, or None of a layer that has none."""
    part = network.part(layer)
    if layer == OUTPUT:
        return None
    if isinstance(part, nn.Conv2d):
        return part.weight.detach()
    height, width = network.size
    on_pixels = isinstance(part, nn.Linear) and part.in_features == 3 * height * width
    if on_pixels and layer == first_weighted_layer(network):
        return part.weight.detach().unflatten(1, (3, height, width))
    return None


def pixel_kernels(network: Network, layer: str) -> Tensor | None:
    """Kernels of the layer that reads the picture, in units of pixels in [0, 1]: [units, 3, h, w].

    They are divided by the deviations with which the network normalises. None of another layer.
    """
    own = kernels_if_any(network, layer)
    if own is None or own.shape[1] != 3 or layer != first_weighted_layer(network):
        return None
    return own * network.scale


@dataclass(frozen=True)
class ChannelResponses:
    """What each input channel contributes to a unit of a convolution: z = sum_c x_c * w_c + b.

    Attributes:
        first: number of the first channel that the unit reads; 0 unless the layer has groups.
        inputs: what the layer reads of these channels, [n, channels, h, w].
        responses: x_c * w_c, [n, channels, rows, columns] of the layer's map.
        bias: b.
    """

    first: int
    inputs: Tensor
    responses: Tensor
    bias: float

    @property
    def total(self) -> Tensor:
        """z, the activation of the unit, [n, rows, columns]."""
        return self.responses.sum(1) + self.bias


def channel_responses(network: Network, layer: str, unit: int, images: Images) -> ChannelResponses:
    """What each input channel of a convolution contributes to a unit.

    Args:
        network: the network.
        layer: a convolution.
        unit: of it.
        images: float32 [n, 3, h, w], RGB in [0, 1], on the network's device.
    """
    part = network.part(layer)
    taken: list[Tensor] = []
    handle = part.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
    try:
        with torch.inference_mode():
            network.read(images, [layer])
    finally:
        handle.remove()
    count = part.weight.shape[1]
    first = first_channel(part, unit)
    inputs = taken[-1][:, first : first + count]
    apart = deepcopy(part)  # each channel with its own kernel, by the same padding and stride
    apart.groups = apart.in_channels = apart.out_channels = count
    apart.weight = nn.Parameter(part.weight[unit][:, None], requires_grad=False)
    apart.bias = None
    with torch.inference_mode():
        responses = apart(inputs)
    bias = 0.0 if part.bias is None else float(part.bias[unit])
    return ChannelResponses(first, inputs, responses, bias)


def first_channel(part: nn.Conv2d, unit: int) -> int:
    """The first input channel that a unit of a convolution reads: 0, unless it has groups."""
    return unit // (part.out_channels // part.groups) * part.weight.shape[1]
