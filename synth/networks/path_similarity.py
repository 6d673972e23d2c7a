"""How alike two pictures run through a network: rank correlations of their activations.

For a picture and a part of it, a layer's activations are averaged over the places in that part, and
the vectors of two pictures, one number a channel, are compared by Spearman's rank correlation.
Source: Geirhos et al. 2023, Don't trust your eyes: on the (un)reliability of feature
visualizations, who compare a unit's synthetic picture with natural ones that drive it, layer by
layer. Departure: they read whole pictures, we the part that the unit sees.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synth.core.network import Network
from synth.core.types import Images
from synth.networks.reading import BATCH


def path_vectors(
    network: Network, images: Images, boxes: Tensor, layers: Sequence[str]
) -> dict[str, Tensor]:
    """Mean activations over a part of each image, layer by layer.

    Args:
        network: the network.
        images: float32 [n, 3, h, w], RGB in [0, 1].
        boxes: top, left, bottom and right of each part in pixels, the last two exclusive, [n, 4].
        layers: names of layers, with places or without.

    Returns:
        For each name float32 [n, channels]; of a layer without places the activations themselves.
    """
    size = (images.shape[2], images.shape[3])
    vectors: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    with torch.inference_mode():
        for part, box in zip(images.split(BATCH), boxes.split(BATCH), strict=True):
            activations = network.read(part.to(network.device), layers)
            for layer, values in activations.items():
                if values.ndim == 3:  # of vectors that belong to no place
                    values = values.mean(2)
                elif values.ndim == 4:
                    weights = _weights(box.to(values.device), size, values.shape[2:])
                    values = torch.einsum("nchw,nhw->nc", values, weights)
                vectors[layer].append(values)
    return {layer: torch.cat(parts) for layer, parts in vectors.items()}


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of each row with each row; ties have their mean rank.

    It is NaN where all values of a row are equal.

    Args:
        first: float [n, values].
        second: float [m, values].

    Returns:
        float32 [n, m].
    """
    rows = [ranks - ranks.mean(1, keepdim=True) for ranks in map(_ranks, (first, second))]
    scaled = [values / values.norm(dim=1, keepdim=True) for values in rows]
    return (scaled[0] @ scaled[1].T).float()


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 0 in each row, float64."""
    ordered = values.sort(dim=1).values
    first = torch.searchsorted(ordered, values.contiguous())
    last = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (first + last - 1).double() / 2


def _weights(boxes: Tensor, size: tuple[int, int], places: Sequence[int]) -> Tensor:
    """Weights [n, h, w] that average over the places whose centres lie in a box, or the nearest."""
    shares = []
    for axis in (0, 1):
        centres = (torch.arange(places[axis], device=boxes.device) + 0.5) * size[axis]
        centres = centres / places[axis]
        first, last = boxes[:, axis, None], boxes[:, axis + 2, None]
        inside = ((centres >= first) & (centres < last)).float()
        nearest = (centres - (first + last) / 2).abs().argmin(1)
        inside.scatter_(1, nearest[:, None], 1.0)  # a part may be smaller than a place
        shares.append(inside / inside.sum(1, keepdim=True))
    return shares[0][:, :, None] * shares[1][:, None, :]
