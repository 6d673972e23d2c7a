"""The tally of an embedding: of each picture a vector, pixels and a thumbnail, and no copies."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from synth.core.network import Network, over_places
from synth.core.types import Images
from synth.data.collection import Batch, fingerprint
from synth.probes.probe import Tally


class Vectors(Tally):
    """Vectors of pictures at a layer; a picture whose pixels have come before is left out.

    Memory is taken once, for as many pictures as there may be.

    Args:
        network: that is read.
        layer: name of the layer; one with places is averaged over them.
        count: pictures at most.
        pixels: height and width at which pixels are compared.
        side: of the thumbnails in pixels; 0 for none.

    Attributes:
        pictures: how many have come, copies included.
    """

    def __init__(
        self, network: Network, layer: str, count: int, pixels: tuple[int, int], side: int
    ) -> None:
        self.layer = layer
        self.size = pixels
        self.side = side
        self.pictures = 0
        self._count = 0  # rows that are filled
        width = network.layers[layer][0]
        self._rows = {
            "vectors": torch.zeros(count, width, device=network.device),
            "pixels": torch.zeros(count, 3, *pixels, dtype=torch.uint8),
            "thumbnails": torch.zeros(count, 3, side, side, dtype=torch.uint8),
            "places": torch.zeros(count, dtype=torch.int64),
            "fingerprints": torch.zeros(count, dtype=torch.int64),
        }
        self._fingerprints: set[int] = set()

    @property
    def vectors(self) -> Tensor:
        """Float32 [n, d], on the network's device."""
        return self._filled("vectors")

    @property
    def pixels(self) -> Tensor:
        """Of the pictures at `size`, uint8 [n, 3 h w]."""
        return self._filled("pixels").flatten(1)

    @property
    def thumbnails(self) -> Tensor:
        """Uint8 [n, 3, side, side]."""
        return self._filled("thumbnails")

    @property
    def places(self) -> Tensor:
        """Of the pictures in the collection, int64 [n]."""
        return self._filled("places")

    @property
    def duplicates(self) -> int:
        """How many pictures were copies of another."""
        return self.pictures - self._count

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        prints = [fingerprint(image) for image in batch.images]
        fresh = []
        for row, number in enumerate(prints):
            if number not in self._fingerprints:
                self._fingerprints.add(number)
                fresh.append(row)
        self.pictures += len(prints)
        rows = torch.tensor(fresh, dtype=torch.int64)
        values = over_places(activations[self.layer])
        images = batch.images[rows]
        parts = {
            "vectors": values[rows.to(values.device)],
            "pixels": _levels(images, self.size),
            "places": batch.places[rows],
            "fingerprints": torch.tensor(prints, dtype=torch.int64)[rows],
        }
        if self.side:
            parts["thumbnails"] = _levels(images, (self.side, self.side))
        stop = self._count + len(fresh)
        for name, part in parts.items():
            self._rows[name][self._count : stop] = part
        self._count = stop

    def state(self) -> dict[str, Tensor]:
        return {name: self._filled(name) for name in self._rows} | {
            "pictures": torch.tensor(self.pictures)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.pictures = int(state["pictures"])
        self._count = len(state["places"])
        for name, rows in self._rows.items():
            rows[: self._count] = state[name].to(rows.device)
        self._fingerprints = set(self._filled("fingerprints").tolist())

    def _filled(self, name: str) -> Tensor:
        return self._rows[name][: self._count]


def _levels(images: Images, size: tuple[int, int]) -> Tensor:
    """Images [n, 3, h, w] at another size, in the 256 levels of a file."""
    if not len(images):
        return torch.zeros(0, 3, *size, dtype=torch.uint8)
    if tuple(images.shape[2:]) != size:
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
    return images.clamp(0, 1).mul(255.0).round().to(torch.uint8)
