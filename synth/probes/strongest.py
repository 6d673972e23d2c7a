"""The strongest activations of every unit over many pictures, and the patches that they come from.

All units of all layers are read together, and no more is kept than the strongest pictures of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Images
from synth.core.network import Network
from synth.data.collection import Batch, Collection, fingerprint
from synth.networks.receptive_field import ReceptiveField
from synth.probes.probe import Tally
from synth.record.result import Json

GREY = 0.5


class Strongest(Tally):
    """The pictures with the highest activations of each unit, and where in them.

    A picture counts once for a unit, by its highest place, and a copy of a picture not at all.

    Args:
        network: that is read.
        layers: names of layers.
        count: pictures a unit.
    """

    def __init__(self, network: Network, layers: Sequence[str], count: int) -> None:
        self.count = count
        self.tops = {
            layer: Top.empty(network.layers[layer][0], count, network.device) for layer in layers
        }
        self.fingerprints: list[int] = []
        self._known: set[int] = set()
        self.pictures = 0

    @property
    def duplicates(self) -> int:
        """How many pictures were copies of another."""
        return self.pictures - len(self.fingerprints)

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        fresh = torch.tensor([self._is_fresh(image) for image in batch.images])
        self.pictures += len(fresh)
        for layer, top in self.tops.items():
            values = activations[layer]
            maps = values if values.ndim == 4 else values[..., None].flatten(2)[..., None]
            top.add(maps, batch.places.to(maps.device), fresh.to(maps.device))

    def _is_fresh(self, image: Tensor) -> bool:
        """Whether no such picture has come before."""
        number = fingerprint(image)
        if number in self._known:
            return False
        self._known.add(number)
        self.fingerprints.append(number)
        return True

    def state(self) -> dict[str, Tensor]:
        state = {"fingerprints": torch.tensor(self.fingerprints, dtype=torch.int64)}
        for layer, top in self.tops.items():
            state |= {
                f"values/{layer}": top.values,
                f"pictures/{layer}": top.pictures,
                f"spots/{layer}": top.spots,
            }
        return state | {"count": torch.tensor(self.pictures)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.fingerprints = state["fingerprints"].tolist()
        self._known = set(self.fingerprints)
        self.pictures = int(state["count"])
        for layer in self.tops:
            parts = (state[f"{name}/{layer}"] for name in ("values", "pictures", "spots"))
            self.tops[layer] = Top(*parts)


@dataclass
class Top:
    """The highest activations of each unit of a layer, highest first.

    Attributes:
        values: float32 [units, count], minus infinity where there are fewer pictures.
        pictures: places in the collection, int64 [units, count], -1 where there are fewer.
        spots: places in the map, row by row, int64 [units, count].
    """

    values: Tensor
    pictures: Tensor
    spots: Tensor

    @property
    def dead(self) -> list[int]:
        """Units whose activation is above 0 nowhere."""
        return (self.values[:, 0] <= 0).nonzero()[:, 0].tolist()

    @staticmethod
    def empty(units: int, count: int, device: torch.device) -> Top:
        values = torch.full((units, count), -torch.inf, device=device)
        indices = torch.full((units, count), -1, device=device)
        return Top(values, indices, indices.clone())

    def add(self, maps: Tensor, places: Tensor, fresh: Tensor) -> None:
        """Adds activations [b, units, h, w] of pictures at `places` [b], those that are fresh."""
        # of channels-last maps the pooling is several times as fast as a maximum with its index
        peaks, spots = functional.adaptive_max_pool2d(maps, 1, return_indices=True)
        peaks = peaks.flatten(1).nan_to_num(nan=-torch.inf)
        peaks = peaks.masked_fill(~fresh[:, None], -torch.inf).T
        values, order = torch.cat([self.values, peaks], 1).topk(self.values.shape[1], 1)
        pictures = torch.cat([self.pictures, places.expand(len(peaks), -1)], 1).gather(1, order)
        self.values = values
        self.pictures = pictures.masked_fill(values == -torch.inf, -1)
        self.spots = torch.cat([self.spots, spots.flatten(1).T], 1).gather(1, order)


class LayerPatches:
    """What a layer's units respond to most, and the units of it that are shown.

    Args:
        network: that was read.
        collection: its pictures.
        layer: name of the layer.
        top: its strongest pictures.
        field: what its units see.
        units: that are shown; None for the `shown` with the highest activations.
        shown: how many.
    """

    def __init__(
        self,
        network: Network,
        collection: Collection,
        layer: str,
        top: Top,
        field: ReceptiveField,
        units: Sequence[int] | None = None,
        shown: int = 0,
    ) -> None:
        self.layer = layer
        self.top = Top(top.values.cpu(), top.pictures.cpu(), top.spots.cpu())
        self.field = field
        self.collection = collection
        self.size = network.size
        self.shape = network.layers[layer]
        if units is None:
            highest = self.top.values[:, 0]
            ordered = highest.argsort(descending=True, stable=True)[:shown].tolist()
            units = [unit for unit in ordered if highest[unit] > 0]
        self.units = list(units)

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of a patch in pixels."""
        height, width = self.field.extent
        return min(height, self.size[0]), min(width, self.size[1])

    def about(self) -> dict[str, Json]:
        """The layer's record in the table of the run."""
        height, width = self.field.extent
        return {
            "layer": self.layer,
            "shape": list(self.shape),
            "receptive_field": f"{height} x {width}",
            "stride": self.field.stride[0],
            "units": len(self.top.values),
            "dead": len(self.top.dead),
        }

    def fires(self, unit: int, slot: int) -> bool:
        """Whether the activation is above 0."""
        return bool(self.top.values[unit, slot] > 0)

    def box_of(self, spot: int | None) -> tuple[int, int, int, int]:
        """What is seen from a place of the map, or from its middle; may exceed the border."""
        return box_of(self.field, spot)

    def cropped(self, image: Tensor, spot: int | None) -> Tensor:
        """What a unit sees of an image [3, h, w]; grey beyond the border."""
        return cropped(image, self.field, spot)

    def image(self, unit: int, slot: int) -> Tensor:
        """The whole picture in a slot, as the network reads it."""
        return self.collection.picture(int(self.top.pictures[unit, slot])).at(self.size)

    def patch(self, unit: int, slot: int) -> Tensor:
        """The patch in a slot."""
        return self.cropped(self.image(unit, slot), int(self.top.spots[unit, slot]))

    def all_images(self) -> tuple[Tensor, Images, Tensor]:
        """All pictures of the units shown that excite them.

        Returns:
            The row of each one's unit [n], the pictures [n, 3, h, w], the boxes of the patches
            [n, 4].
        """
        slots = [
            (row, unit, slot)
            for row, unit in enumerate(self.units)
            for slot in range(self.top.values.shape[1])
            if self.fires(unit, slot)
        ]
        images = [self.image(unit, slot) for _, unit, slot in slots]
        boxes = [self.box_of(int(self.top.spots[unit, slot])) for _, unit, slot in slots]
        return (
            torch.tensor([row for row, _, _ in slots], dtype=torch.int64),
            torch.stack(images) if images else torch.zeros(0, 3, *self.size),
            torch.tensor(boxes, dtype=torch.int64).reshape(-1, 4),
        )


def box_of(field: ReceptiveField, spot: int | None = None) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what is seen from a place of the map, or from its middle.

    It may exceed the border. Along an axis on which the field is as long as the picture, it is the
    whole picture.

    Args:
        field: what the units see.
        spot: number of the place, row by row; None for the middle.
    """
    rows, columns = len(field.rows), len(field.columns)
    row, column = (rows // 2, columns // 2) if spot is None else divmod(spot, columns)
    top, left, bottom, right = field.box(row, column)
    height, width = field.size
    if bottom - top >= height:
        top, bottom = 0, height
    if right - left >= width:
        left, right = 0, width
    return top, left, bottom, right


def cropped(
    image: Tensor, field: ReceptiveField, spot: int | None = None, beyond: float = GREY
) -> Tensor:
    """What is seen of an image [3, h, w] from a place of the map, or from its middle.

    Args:
        image: of the size that the field is for.
        field: what the units see.
        spot: number of the place, row by row; None for the middle.
        beyond: value of the pixels beyond the border.
    """
    top, left, bottom, right = box_of(field, spot)
    height, width = field.size
    margins = (-left, right - width, -top, bottom - height)  # negative ones cut
    return functional.pad(image, margins, value=beyond)
