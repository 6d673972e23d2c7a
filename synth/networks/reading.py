"""Batched inference: logits and layer activations of any number of images, without gradient.

A search evaluates genomes through `synth.engine.fitness`; whatever else reads many images reads
them here. Images come in one of three forms (`Source`):

- a tensor [n, 3, h, w], RGB: float in [0, 1], or uint8 in [0, 255], which is divided by 255;
- a sequence of `synth.data.Picture`, each scaled and cropped to the size that is read, a batch at
  a time, so that no more than one batch is in memory;
- any other iterable of such tensors, each of which is read as one batch, as it comes.

Batches are moved to the network's device one by one. The last bits of a logit depend on the batch
size, because a matrix product of another shape adds up in another order: callers whose numbers are
recorded name theirs.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from synth import data
from synth.core.network import Network

BATCH = 64
MOST_REMEMBERED = 128  # batches a network

# logits of batches of clean images, by pixels and weights
_REMEMBERED: WeakKeyDictionary[Network, OrderedDict[tuple, Tensor]] = WeakKeyDictionary()

Source = Tensor | Iterable[Tensor] | Sequence[data.Picture]


def logits(
    network: Network,
    images: Source,
    *,
    size: tuple[int, int] | None = None,
    batch: int = BATCH,
    cached: bool = False,
) -> Tensor:
    """Logits (scores before the softmax) of `images`: float32 [n, classes] on the network's device.

    Args:
        network: the classifier.
        images: a tensor, pictures, or batches; see the module.
        size: height and width that all are scaled to first. By default tensors are read at their
            own size where the network can, else at the network's; pictures at the network's.
        batch: how many images one forward pass takes.
        cached: whether the logits are remembered, and used where the same batch has been read
            before: for clean images, which objective, monitor, records and metrics all look at.
    """
    read = _remembered if cached else Network.__call__
    parts = []
    with torch.inference_mode():
        for part in _batches(network, images, size, batch):
            shape = (part.shape[2], part.shape[3])
            fitted = part if network.reads(shape) else data.fitted(part, network.size)
            parts.append(read(network, fitted.to(network.device)))
    if not parts:
        return torch.zeros(0, len(network.classes), device=network.device)
    return torch.cat(parts)  # outside of inference mode: an ordinary tensor, which autograd may use


def activations(
    network: Network,
    images: Source,
    layers: Iterable[str],
    *,
    size: tuple[int, int] | None = None,
    batch: int = BATCH,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Activations of `images` at `layers`: float32 [n, *shape of the layer] for each name.

    They are on the network's device, and ordinary tensors that autograd may use.

    Args:
        network: the network.
        images: a tensor, pictures, or batches; see the module.
        layers: names of layers; ``output`` means the logits.
        size: height and width that all are scaled to first. By default tensors keep their own
            size, and pictures are read at the network's.
        batch: how many images one forward pass takes.
        reduce: applied to each layer's activations of each batch, such as the spatial mean
            `synth.core.network.over_places`, so that less is kept; it must not change axis 0.
    """
    names = tuple(dict.fromkeys(layers))
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    with torch.inference_mode():
        for part in _batches(network, images, size, batch):
            for name, values in network.read(part.to(network.device), names).items():
                parts[name].append(values if reduce is None else reduce(values))
        for name, values in parts.items():
            if not values:
                empty = torch.zeros(0, *network.layers[name], device=network.device)
                values.append(empty if reduce is None else reduce(empty))
    return {name: torch.cat(values) for name, values in parts.items()}  # ordinary tensors, as above


def _remembered(network: Network, images: Tensor) -> Tensor:
    """The logits of a batch, from `_REMEMBERED` if these weights have read the same pixels."""
    batches = _REMEMBERED.setdefault(network, OrderedDict())
    pixels = hashlib.sha256(images.cpu().contiguous().numpy()).digest()
    key = (pixels, tuple(images.shape), network.weights_version)
    if key not in batches:
        batches[key] = network(images)
    batches.move_to_end(key)
    if len(batches) > MOST_REMEMBERED:
        batches.popitem(last=False)
    return batches[key]


def _batches(
    network: Network, images: Source, size: tuple[int, int] | None, batch: int
) -> Iterator[Tensor]:
    """Float batches [at most `batch`, 3, h, w] of `images`, none of them empty."""
    if isinstance(images, Tensor):
        images = images.split(batch)
    elif isinstance(images, Sequence) and images and isinstance(images[0], data.Picture):
        images = _stacked(images, size or network.size, batch)
    for part in images:
        if len(part):
            values = part if part.is_floating_point() else part.float() / 255.0
            yield values if size is None else data.fitted(values, size)


def _stacked(
    pictures: Sequence[data.Picture], size: tuple[int, int], batch: int
) -> Iterator[Tensor]:
    for first in range(0, len(pictures), batch):
        yield torch.stack([picture.at(size) for picture in pictures[first : first + batch]])
