"""Default layers of a network, by what they do: one for each resolution, and the penultimate layer.

Architectures name their layers differently. From which layers style is read, and from which the
code of an image, is derived here from the structure of the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from synth.core.network import ACTIVATIONS, OUTPUT, Network
from synth.errors import InputError

FEWEST = 4  # resolutions; networks with fewer have several depths at one resolution


def style_layers(network: Network) -> list[str]:
    """The first activation function or block of each resolution, from shallow to deep.

    Gram matrices of style are read there. A block is a module whose children do not simply run one
    after the other: a Fire module, a residual block. In a VGG these are relu1_1, relu2_1, ...,
    relu5_1, as in Gatys et al. 2016; in SqueezeNet 1.1 features.1, .3, .6 and .9; in a ResNet the
    first ReLU and the first block of each stage. A network of fewer than four resolutions, such as
    AlexNet, gives all its activation functions and blocks.

    Raises:
        InputError: the network has no spatial layers.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    for name, part in _chain(network.module):
        shape = network.layers.get(name, ())
        spatial = len(shape) == 3 and min(shape[1:]) > 1
        if spatial and (isinstance(part, ACTIVATIONS) or _is_block(part)):
            sizes[name] = shape[1:]
    if not sizes:
        raise InputError(
            f"layers: {network.name} has no activation with places to choose from; name "
            "layers=[...]."
        )
    # in reverse, so that of several layers of a size the first one remains
    first = {size: name for name, size in reversed(sizes.items())}
    return [name for name in sizes if len(first) < FEWEST or first[sizes[name]] == name]


def penultimate_layer(network: Network) -> str:
    """The penultimate layer: the input of the last weights, such as fc7 or the pooled last block.

    Raises:
        InputError: the network has a single layer of weights, or none.
    """
    order = [name for name in network.layers if name != OUTPUT]
    weighted = [
        place
        for place, name in enumerate(order)
        if isinstance(network.module.get_submodule(name), nn.Linear | nn.Conv2d)
    ]
    if not weighted or weighted[-1] == 0:
        raise InputError(
            f"layer: {network.name} has no layer before its last weights; name one, layer=NAME."
        )
    return order[weighted[-1] - 1]


def _chain(part: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules that run one after the other, by name; a block counts as one."""
    for name, child in part.named_children():
        if isinstance(child, nn.Sequential):
            yield from _chain(child, f"{path}{name}.")
        else:
            yield path + name, child


def _is_block(part: nn.Module) -> bool:
    return next(part.children(), None) is not None
