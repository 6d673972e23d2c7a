"""Default layers of a network, by what they do: for style, content, a dream, the code of an image.

Architectures name their layers differently. Which are read where a user names none is derived here
from the structure of the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from synth.core.network import ACTIVATIONS, OUTPUT, Network
from synth.errors import InputError

FEWEST = 4  # resolutions; networks with fewer have several depths at one resolution
MOST = 5  # depths that such a network gives
PLACES = 8  # rows and columns that a layer to dream at has at least, where the network has such


def style_layers(network: Network) -> list[str]:
    """The first activation function or block of each resolution, from shallow to deep.

    Gram matrices of style are read there. A block is a module whose children do not simply run one
    after the other: a Fire module, a residual block, a block of a transformer. In a VGG these are
    relu1_1, relu2_1, ..., relu5_1, as in Gatys et al. 2016; in SqueezeNet 1.1 features.1, .3, .6
    and .9; in a ResNet the first ReLU and the first block of each stage; in a Swin transformer the
    first block of each stage. A network of fewer than four resolutions, such as AlexNet or a ViT,
    gives its activation functions and blocks, five of them, evenly spread, where there are more.

    Raises:
        InputError: the network has no spatial layers.
    """
    sizes = _sizes(network)
    # in reverse, so that of several layers of a size the first one remains
    first = {size: name for name, size in reversed(sizes.items())}
    if len(first) >= FEWEST:
        return [name for name in sizes if first[sizes[name]] == name]
    names = list(sizes)
    count = min(len(names), MOST)
    return [names[round(place * (len(names) - 1) / max(count - 1, 1))] for place in range(count)]


def content_layer(network: Network) -> str:
    """The layer whose features are a picture's content: the penultimate of `style_layers`."""
    return style_layers(network)[-2:][0]


def dream_layer(network: Network) -> str:
    """The layer that a dream amplifies, at middle depth, where motifs are largest.

    It is the deepest activation function or block with 8 x 8 places or more: relu5 of the network
    in the package, relu5_3 of a VGG, the last block of the third stage of a ResNet or a Swin
    transformer. Where all have the same resolution, as in a ViT, it is the one at two thirds of the
    depth.

    Raises:
        InputError: the network has no spatial layers.
    """
    order = list(network.layers)
    last = order.index(_last_weighted(network) or OUTPUT)
    sizes = _sizes(network)
    # what comes behind the last weights are scores
    deep = {name: size for name, size in sizes.items() if order.index(name) < last} or sizes
    names = [name for name, size in deep.items() if min(size) >= PLACES] or list(deep)
    if len(names) > 2 and len(set(sizes.values())) == 1:
        return names[2 * len(names) // 3 - 1]
    return names[-1]


def unit_layer(network: Network) -> str:
    """The layer whose units' preferred images are drawn: `dream_layer` before its activation.

    Behind a ReLU a unit that is not active has no gradient.
    """
    behind = dream_layer(network)
    return next((name for name in network.layers if network.rectified(name) == behind), behind)


def code_layer(network: Network) -> str:
    """The layer whose activations are the code of a picture, from which a generator draws it.

    It is the first fully connected layer that others follow (fc6 of AlexNet and VGG, after
    Dosovitskiy & Brox 2016), else the penultimate layer.

    Raises:
        InputError: the network has a single layer of weights, or none.
    """
    hidden = hidden_linear_layers(network)
    return hidden[0] if hidden else penultimate_layer(network)


def hidden_linear_layers(network: Network) -> list[str]:
    """The linear layers that give a vector an image, before those that give the scores, in order.

    They are fc6 and fc7 of AlexNet.
    """
    linear = [
        name
        for name, shape in network.layers.items()
        if len(shape) == 1 and isinstance(network.part(name), nn.Linear)
    ]
    while linear and network.layers[linear[-1]] == network.layers[OUTPUT]:
        linear.pop()  # a distilled transformer has two heads
    return linear


def penultimate_layer(network: Network) -> str:
    """The penultimate layer: the input of the last weights, such as fc7 or the pooled last block.

    Raises:
        InputError: the network has a single layer of weights, or none.
    """
    order = list(network.layers)
    last = _last_weighted(network)
    if last is None or order[0] == last:
        raise InputError(
            f"layer: {network.name} has no layer before its last weights; name one, layer=NAME."
        )
    return order[order.index(last) - 1]


def _last_weighted(network: Network) -> str | None:
    """The last linear or convolutional layer, which gives the scores; None where there is none."""
    weighted = [
        name
        for name in network.layers
        if name != OUTPUT and isinstance(network.part(name), nn.Linear | nn.Conv2d)
    ]
    return weighted[-1] if weighted else None


def _sizes(network: Network) -> dict[str, tuple[int, ...]]:
    """Rows and columns of the activation functions and blocks that have any, in order.

    Those of a network that is a part of the module, as behind one that normalises, where the module
    has none beside it. Where activation functions are no modules (``functional.relu``), of the
    convolutions, and where these are none, of all layers.
    """
    spatial = {
        name: shape[1:]
        for name, shape in network.layers.items()
        if len(shape) == 3 and min(shape[1:]) > 1
    }
    for whole in (False, True):
        parts = [(n, p) for n, p in _chain(network, network.module, whole=whole) if n in spatial]
        names = [n for n, part in parts if isinstance(part, ACTIVATIONS) or _is_block(part)]
        if names:
            return {name: spatial[name] for name in names}
    convolutions = [name for name in spatial if isinstance(network.part(name), nn.Conv2d)]
    if not spatial:
        raise InputError(
            f"layers: {network.name} has no activation with places to choose from; name "
            "layers=[...]."
        )
    return {name: spatial[name] for name in convolutions or spatial}


def _chain(
    network: Network, part: nn.Module, path: str = "", whole: bool = False
) -> Iterator[tuple[str, nn.Module]]:
    """The modules that run one after the other, by name; a block counts as one.

    Args:
        network: whose module it is.
        part: of it.
        path: its name, with a dot.
        whole: whether to look into parts whose own output has no places, too.
    """
    for name, child in part.named_children():
        inner = path + name
        opened = whole and len(network.layers.get(inner, ())) < 3
        if isinstance(child, nn.Sequential | nn.ModuleList) or inner in network.chains or opened:
            yield from _chain(network, child, f"{inner}.", whole)
        else:
            yield inner, child


def _is_block(part: nn.Module) -> bool:
    return next(part.children(), None) is not None
