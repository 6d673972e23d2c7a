"""What the channels of layers detect: thresholds of activations, and overlaps with label maps.

Bau, Zhou, Khosla, Oliva & Torralba 2017, "Network dissection".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synth.data.collection import Batch
from synth.data.concepts import ConceptSet
from synth.probes.probe import Tally
from synth.record.result import Json

BINS = 32768  # of a channel's histogram
LEAST = 1e-6  # range of a channel that is constant, of its value: so much float32 tells apart
CHANNELS = 32  # scaled up together: their maps stay in the processor's cache


class Quantiles(Tally):
    """The activations that a share of all places exceeds, a channel each, in one pass.

    Activations are counted in a histogram of `BINS` bins a channel, from the lowest of the first
    batch up; where a higher one comes, bins are joined two by two. Within a bin values are taken as
    evenly spread, so a threshold is at most one bin from the exact quantile: the range of the
    channel by `BINS` / 2. Memory does not depend on the number of pictures.

    Args:
        shapes: of layers by name, channels first.
        device: where activations are.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], device: torch.device) -> None:
        self.shapes = dict(shapes)
        self.device = device
        self._state: dict[str, Tensor] = {}

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        for layer, shape in self.shapes.items():
            values = maps_of(activations[layer]).transpose(0, 1).flatten(1).float()
            if f"counts/{layer}" not in self._state:
                low, high = values.amin(1), values.amax(1)
                self._state |= {
                    # whole numbers: a float32 count stays at 2 ** 24, a few thousand pictures
                    f"counts/{layer}": torch.zeros(
                        shape[0], BINS, dtype=torch.int64, device=self.device
                    ),
                    f"low/{layer}": low,
                    f"width/{layer}": torch.maximum(
                        (high - low) / BINS * 1.001, (low.abs() * LEAST / BINS).clamp(min=1e-12)
                    ),
                    f"highest/{layer}": high,
                }
            self._count(layer, values)

    def _count(self, layer: str, values: Tensor) -> None:
        counts, low = self._state[f"counts/{layer}"], self._state[f"low/{layer}"]
        width = self._state[f"width/{layer}"]
        highest = torch.maximum(self._state[f"highest/{layer}"], values.amax(1))
        beyond = (highest >= low + width * BINS).nonzero()[:, 0]
        if len(beyond):  # the range of such a channel doubles as often as it takes
            times = ((highest - low) / (width * BINS))[beyond].log2().floor() + 1
            bins = torch.arange(BINS, device=counts.device) >> times.long()[:, None]
            joined = torch.zeros_like(counts[beyond]).scatter_add_(1, bins, counts[beyond])
            counts[beyond] = joined
            width = width.index_copy(0, beyond, width[beyond] * 2**times)
        bins = ((values - low[:, None]) / width[:, None]).long().clamp_(0, BINS - 1)
        counts.scatter_add_(1, bins, torch.ones_like(bins))
        self._state |= {
            f"counts/{layer}": counts,
            f"width/{layer}": width,
            f"highest/{layer}": highest,
        }

    def threshold(self, layer: str, share: float) -> Tensor:
        """What `share` of the activations of each channel of a layer exceed, [channels]."""
        counts = self._state[f"counts/{layer}"].double()
        above = share * counts.sum(1, keepdim=True)
        from_top = counts.flip(1).cumsum(1)
        place = (from_top < above).sum(1, keepdim=True)  # bins from the top that are all above it
        before = (from_top.gather(1, place) - counts.flip(1).gather(1, place)).clamp(min=0)
        part = (above - before) / counts.flip(1).gather(1, place).clamp(min=1)
        bins = BINS - place - part
        low, width = self._state[f"low/{layer}"], self._state[f"width/{layer}"]
        return (low.double() + width.double() * bins[:, 0]).float()

    def never(self, layer: str) -> Tensor:
        """Which channels are the same everywhere, or above 0 nowhere; bool [channels]."""
        low, highest = self._state[f"low/{layer}"], self._state[f"highest/{layer}"]
        return (highest <= 0) | (highest <= low)

    def state(self) -> dict[str, Tensor]:
        return dict(self._state)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._state = dict(state)


class Overlaps(Tally):
    """How many cells of the grid channels and concepts have in common, and how many each has.

    Each picture is compared with several label maps: its own, and those of others, which show the
    chance level.

    Args:
        concepts: pictures with their label maps.
        size: at which the network reads them.
        grid: rows and columns on which activations and labels are compared.
        thresholds: of each layer's channels.
        orders: places of the pictures whose label maps go with each picture, m of them.
        per_picture: adds up the IoU of each picture that has a concept, in place of its cells.
    """

    def __init__(
        self,
        concepts: ConceptSet,
        size: tuple[int, int],
        grid: tuple[int, int],
        thresholds: Mapping[str, Tensor],
        orders: Sequence[Sequence[int]],
        per_picture: bool = False,
    ) -> None:
        self.concepts, self.size, self.grid = concepts, size, grid
        self.thresholds, self.orders, self.per_picture = thresholds, orders, per_picture
        self.device = next(iter(thresholds.values())).device
        self.category = concepts.category.to(self.device)
        kinds, count = len(concepts.categories), len(concepts.concepts)
        self._sums = {"cells": self._zeros(count), "pictures": self._zeros(count)}
        for layer, limit in thresholds.items():
            self._sums[f"both/{layer}"] = self._zeros(len(limit), count)
            self._sums[f"fires/{layer}"] = self._zeros(len(limit), kinds)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(len(self.orders), *shape, dtype=torch.float64, device=self.device)

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        maps = {layer: maps_of(activations[layer]) for layer in self.thresholds}
        scales = {
            layer: [
                _interpolation(length, count, self.device)
                for length, count in zip(values.shape[2:], self.grid, strict=True)
            ]
            for layer, values in maps.items()
        }
        for row, place in enumerate(batch.places.tolist()):
            labels, counted = self._labels(place)
            cells = labels.sum(2).double()
            self._sums["cells"] += cells
            self._sums["pictures"] += cells > 0
            columns = torch.cat([labels, counted], 1).flatten(0, 1).T.contiguous()
            for layer in self.thresholds:
                sums = self._fires(layer, maps[layer][row], scales[layer], columns)
                both, area = sums.split([labels.shape[1], counted.shape[1]], 2)
                if self.per_picture:
                    union = area[..., self.category] + cells[:, None] - both
                    both = torch.where(cells[:, None] > 0, both / union.clamp(min=1), 0.0)
                self._sums[f"both/{layer}"] += both
                self._sums[f"fires/{layer}"] += area

    def _fires(self, layer: str, maps: Tensor, scales: Sequence[Tensor], columns: Tensor) -> Tensor:
        """In how many cells of each column each channel fires, [m, channels, columns / m].

        Args:
            layer: its name.
            maps: of a picture, [channels, h, w].
            scales: the matrices that scale maps up, along both sides.
            columns: 1 in the cells that count, else 0, [cells, columns].
        """
        down, across = scales
        parts = []
        for some, limit in zip(
            maps.split(CHANNELS), self.thresholds[layer].split(CHANNELS), strict=True
        ):
            large = down @ some @ across.T
            parts.append((large > limit[:, None, None]).flatten(1).float() @ columns)
        return torch.cat(parts).double().unflatten(1, (len(self.orders), -1)).transpose(0, 1)

    def _labels(self, place: int) -> tuple[Tensor, Tensor]:
        """Of a picture [m, concepts, cells], and cells that count [m, categories, cells]."""
        pairs = [self.concepts.masks(order[place], self.size, self.grid) for order in self.orders]
        counted = torch.stack([counts for _, counts in pairs])
        labels = torch.stack([masks for masks, _ in pairs]) & counted[:, self.concepts.category]
        return (
            labels.flatten(2).to(self.device, torch.float32),
            counted.flatten(2).to(self.device, torch.float32),
        )

    def iou(self, layer: str) -> Tensor:
        """Intersection over union of each channel and concept, [m, channels, concepts]."""
        both, cells = self._sums[f"both/{layer}"], self._sums["cells"][:, None]
        if self.per_picture:
            return (both / self._sums["pictures"][:, None].clamp(min=1)).float()
        union = self._sums[f"fires/{layer}"][..., self.category] + cells - both
        return (both / union.clamp(min=1)).float()

    @property
    def pictures(self) -> list[int]:
        """How many pictures have each concept, by their own label maps."""
        return [int(count) for count in self._sums["pictures"][0].tolist()]

    @property
    def cells(self) -> list[int]:
        """How many cells of all grids have each concept."""
        return [int(count) for count in self._sums["cells"][0].tolist()]

    def state(self) -> dict[str, Tensor]:
        return dict(self._sums)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._sums = dict(state)


def _interpolation(length: int, count: int, device: torch.device) -> Tensor:
    """The matrix [count, length] that scales a row of values to `count`, linearly."""
    rows = torch.eye(length, device=device)[:, None]
    return functional.interpolate(rows, count, mode="linear")[:, 0].T.contiguous()


@dataclass(frozen=True)
class LayerDissection:
    """What the channels of a layer detect.

    Attributes:
        layer: its name.
        iou: [channels, concepts].
        chance: the same with the label maps of other pictures.
        thresholds: activations above which channels fire, [channels].
        silent: which channels never fire, bool [channels].
    """

    layer: str
    iou: Tensor
    chance: Tensor
    thresholds: Tensor
    silent: Tensor

    def concept_of(self, least: float, chance: bool = False) -> list[int]:
        """The concept of each channel, -1 where none has an IoU above `least`."""
        iou = self.chance if chance else self.iou
        best, concept = iou.max(1)
        return concept.masked_fill((best <= least) | self.silent, -1).tolist()


def summary(each: LayerDissection, concepts: ConceptSet, least: float) -> dict[str, Json]:
    """A layer's row of the findings: its detectors, and the chance level beside them."""
    row: dict[str, Json] = {"layer": each.layer, "channels": len(each.iou)}
    own, other = each.concept_of(least), each.concept_of(least, chance=True)
    detectors = [concept for concept in own if concept >= 0]
    row |= {
        "detectors": len(detectors),
        "without_concept": round(1 - len(detectors) / len(own), 4),
        "unique_detectors": len(set(detectors)),
        "chance_detectors": sum(concept >= 0 for concept in other),
        "chance_unique": len({concept for concept in other if concept >= 0}),
        "silent": int(each.silent.sum()),
    }
    for place, category in enumerate(concepts.categories):
        kind = {concept for concept in detectors if int(concepts.category[concept]) == place}
        row[f"unique_{category}"] = len(kind)
    return row


def shown_channels(each: LayerDissection, least: float, count: int) -> list[int]:
    """The channels of the highest IoU, those of one concept side by side."""
    best, concept = each.iou.max(1)
    concepts = each.concept_of(least)
    order = best.argsort(descending=True, stable=True).tolist()
    chosen = [channel for channel in order if concepts[channel] >= 0][:count]
    first = {int(concept[channel]): place for place, channel in reversed([*enumerate(chosen)])}
    return sorted(chosen, key=lambda channel: (first[int(concept[channel])], -float(best[channel])))


def maps_of(values: Tensor) -> Tensor:
    """Activations as maps [b, channels, h, w]; a vector is a map of one place."""
    return values if values.ndim == 4 else values[..., None].flatten(2)[..., None]
