"""Takes a network; gives the layers at which its depths are looked at: one for each resolution, and the last but one.

Networks name their layers as they like. What a style or a code is read from is said here by what the layers do.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from synth.core.network import OUTPUT, Network
from synth.errors import InputError

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Mish)
FEWEST = 4  # resolutions; networks that have fewer change it less often than they look deeper


def style_layers(network: Network) -> list[str]:
    """The first activation or block of each resolution, from the shallow to the deep: where styles are read.

    A block is a part made of parts that are not simply run one after the other (a Fire, a residual block). In a VGG
    these are relu1_1, relu2_1, .. relu5_1, as Gatys et al. 2016 have them; in SqueezeNet 1.1 features.1, .3, .6 and
    .9; in a ResNet the first ReLU and the first block of each stage. A network of fewer than four resolutions, such
    as AlexNet, gives all its activations and blocks. Raises InputError for a network without layers of places.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, part in _chain(network.module):
        shape = network.layers.get(name, ())
        if (
            len(shape) == 3
            and min(shape[1:]) > 1
            and (isinstance(part, ACTIVATIONS) or _is_block(part))
        ):
            found[name] = shape[1:]
    if not found:
        raise InputError(
            f"layers: {network.name} has no activation with places to choose from; name layers=[...]."
        )
    first = {
        size: name for name, size in reversed(found.items())
    }  # what comes first has the last word
    return [name for name in found if len(first) < FEWEST or first[found[name]] == name]


def penultimate_layer(network: Network) -> str:
    """The layer that the last weights read: the code that a classifier decides by (fc7, the pooled last block)."""
    order = [name for name in network.layers if name != OUTPUT]
    weighted = [
        place for place, name in enumerate(order)
        if isinstance(network.module.get_submodule(name), nn.Linear | nn.Conv2d)
    ]  # fmt: skip
    if not weighted or weighted[-1] == 0:
        raise InputError(
            f"layer: {network.name} has no layer before its last weights; name one, layer=NAME."
        )
    return order[weighted[-1] - 1]


def _chain(part: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The parts that run one after the other, by name; a block is one part."""
    for name, child in part.named_children():
        if isinstance(child, nn.Sequential):
            yield from _chain(child, f"{path}{name}.")
        else:
            yield path + name, child


def _is_block(part: nn.Module) -> bool:
    return next(part.children(), None) is not None
