"""Shared functions of objectives: layers, classes of clean images, values of a row's item."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synth.core.network import Network
from synth.core.prediction import NO_CLASS, predictions
from synth.errors import InputError
from synth.networks import reading


def layer_names(layer: str | Sequence[str] | None) -> list[str] | None:
    """`layer` as a list of names, None for the network's own; InputError where it is empty."""
    if layer is None:
        return None
    layers = [layer] if isinstance(layer, str) else list(layer)
    if not layers:
        raise InputError("layer=[]: name at least one layer.")
    return layers


def resolve_layer(network: Network, name: str, rectified: bool) -> str:
    """The layer of `network` that is read for the name `name` of the configuration.

    With `rectified` it is the layer behind `name`'s normalisation and ReLU, else `name` itself.
    """
    return network.rectified(name) if rectified else network.layer(name)


def clean_labels(network: Network, images: reading.Source) -> Tensor:
    """The classes that `network` predicts for clean images, int64 [n].

    Raises:
        InputError: it answers NaN for one of them, so that there is no class to compare with.
    """
    labels = predictions(reading.logits(network, images, cached=True))
    lacking = int((labels == NO_CLASS).sum())
    if lacking:
        raise InputError(
            f"network: {network.name} answers NaN or infinity for {lacking} of {len(labels)} clean "
            "images, so there is no class to lead away from; its weights are damaged."
        )
    return labels


def select_item(values: Sequence[Tensor | None], item: Tensor) -> Tensor:
    """The value of each row's item: [r, 1].

    Args:
        values: one tensor [r] for each item, None for an item without a row, or a single one that
            holds for all items.
        item: the item of each row, int64 [r].
    """
    some = next(value for value in values if value is not None)
    if len(values) == 1:
        return some[:, None]
    # a gather on the device, which does not wait for the host
    columns = [torch.zeros_like(some) if value is None else value for value in values]
    return torch.stack(columns, dim=1).gather(1, item[:, None])


def select_index(index: Tensor, item: Tensor) -> Tensor:
    """The entry of each row's item: int64 [r].

    Args:
        index: class or unit indices, one for each item, or a single one that holds for all items.
        item: the item of each row, int64 [r].
    """
    return index.expand(len(item)) if len(index) == 1 else index[item]
