"""The patches of pictures that units respond to most: top activations of every unit, in one pass.

All units of all layers are read together, and no more is kept than the strongest pictures of each.
Source: Girshick, Donahue, Darrell & Malik 2014, Rich feature hierarchies, and Zeiler & Fergus 2014,
who look at units so; Geirhos et al. 2023 for the comparison with synthetic pictures.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core import Images
from synth.core.network import Network
from synth.data.collection import Batch, Collection
from synth.data.sheet import sized
from synth.encodings.fourier import Fourier
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.networks.path_similarity import path_vectors, rank_correlation
from synth.networks.receptive_field import ReceptiveField, receptive_fields
from synth.networks.style_layers import style_layers, unit_layer
from synth.objectives.scores import Neuron
from synth.probes.probe import Measurement, Probe, Tally, by_layer
from synth.record.record import Record
from synth.record.result import Figure, Item, Json
from synth.searches.gradient import Gradient
from synth.transforms.affine import Chain, Jitter, Rotate, Scale

log = logging.getLogger(__name__)

TILE = 128  # pixels of a patch on a sheet
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
            layer: _Top.empty(network.layers[layer][0], count, network.device) for layer in layers
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
        digest = hashlib.sha1(image.numpy(), usedforsecurity=False).digest()
        fingerprint = int.from_bytes(digest[:8], "big", signed=True)
        if fingerprint in self._known:
            return False
        self._known.add(fingerprint)
        self.fingerprints.append(fingerprint)
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
            self.tops[layer] = _Top(*parts)


@dataclass
class _Top:
    """The highest activations of each unit of a layer, highest first.

    Attributes:
        values: float32 [units, count], minus infinity where there are fewer pictures.
        pictures: places in the collection, int64 [units, count], -1 where there are fewer.
        spots: places in the map, row by row, int64 [units, count].
    """

    values: Tensor
    pictures: Tensor
    spots: Tensor

    @staticmethod
    def empty(units: int, count: int, device: torch.device) -> _Top:
        values = torch.full((units, count), -torch.inf, device=device)
        indices = torch.full((units, count), -1, device=device)
        return _Top(values, indices, indices.clone())

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


class Patches(Probe):
    """For every unit the patches it responds to most, beside its synthetic picture.

    Args:
        network: the network.
        images: a folder, glob or list of pictures.
        layer: a layer or a list of layers; None for the network's `unit_layer`.
        unit: the units on the sheets and in the comparison, of each layer; None for the `shown`
            with the highest activations. The tensors have every unit.
        k: patches a unit, each of another picture.
        shown: how many units, where `unit` is None.
        steps: of the gradient ascent to a unit's synthetic picture; 0 for none.
        seed: of that ascent.
        second: another network, which reads the synthetic pictures and the patches too.

    Raises:
        InputError: for pictures, a layer or a unit that does not exist, or a number out of range.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        layer: str | Sequence[str] | None = None,
        unit: int | Sequence[int] | None = None,
        k: int = 8,
        shown: int = 16,
        steps: int = 256,
        seed: int = 0,
        second: Network | None = None,
    ) -> None:
        super().__init__(network, images, unit_layer(network) if layer is None else layer)
        for word, value, least in (("k", k, 1), ("shown", shown, 1), ("steps", steps, 0)):
            if value < least:
                raise InputError(f"{word}={value}: write {least} or more.")
        if not self.layers:
            raise InputError("layer=[]: name at least one layer.")
        self.layers = list(dict.fromkeys(self.layers))
        self.units = [unit] if isinstance(unit, int) else None if unit is None else list(unit)
        for name in self.layers:
            most = network.layers[name][0]
            for number in self.units or ():
                if not 0 <= number < most:
                    raise InputError(f"unit={number}: {name} has units 0 to {most - 1}.")
        if self.units == []:
            raise InputError("unit=[]: name at least one unit.")
        if k > len(self.pictures):
            log.warning("k=%d: there are %d pictures, so many a unit", k, len(self.pictures))
        self.count = min(k, len(self.pictures))
        self.shown = shown
        self.steps = steps
        self.seed = seed
        self.second = second

    def measure(self, record: Record) -> Measurement:
        strongest = Strongest(self.network, self.layers, self.count)
        self.scan(record, self.layers, {"strongest": strongest})
        fields = receptive_fields(self.network)
        result = Measurement(layers=[])
        comparison: list[dict[str, Json]] = []
        for number, (layer, top) in enumerate(strongest.tops.items()):
            patches = _LayerPatches(self, layer, top, fields[layer])
            result.layers = [*(result.layers or ()), patches.about()]
            if patches.units:
                synthetic = self._synthetic(record, patches, result)
                if synthetic is not None:
                    comparison += self._compare(patches, synthetic, result.items)
                result.figures.append(self._sheet(record, number, patches, synthetic))
        tensors = {layer: _tensors(top, fields[layer]) for layer, top in strongest.tops.items()}
        record.tensors("patches", by_layer(tensors))
        dead = {layer: _dead(top) for layer, top in strongest.tops.items()}
        result.findings = {
            "units": sum(len(top.values) for top in strongest.tops.values()),
            "layers": len(self.layers),
            "pictures": strongest.pictures,
            "duplicate_pictures": strongest.duplicates,
            "dead_units": sum(map(len, dead.values())),
        }
        for layer, units in dead.items():
            if units:
                log.warning("%s: %d of its units never fire: %s", layer, len(units), _some(units))
        own = [row for row in comparison if row["layer"] == row["at"]]
        for name in ("synthetic", "natural", "other"):
            if own:
                result.findings[f"rank_correlation_{name}"] = _mean([row[name] for row in own])
        if comparison:
            result.findings["rank_correlations"] = comparison
        return result

    # -- sheets and the comparison ---------------------------------------------------------------

    def _synthetic(
        self, record: Record, patches: _LayerPatches, result: Measurement
    ) -> Images | None:
        """The synthetic pictures of the units, saved, with an item each; None where switched off.

        All units of the layer are searched in one batch.
        """
        if not self.steps:
            return None
        network, layer = self.network, patches.layer
        experiment = Experiment(
            network,
            Fourier(),
            Neuron(layer, patches.units),
            Gradient(self.steps),
            Chain([Jitter(0.1), Scale(0.8, 1.2), Rotate(15.0)]),
            seed=self.seed,
        )
        search = experiment.search()
        if search.interrupted:
            raise KeyboardInterrupt
        images = []
        for unit, image in zip(patches.units, search.images, strict=True):
            item = Item(target=f"{layer}:{unit}", seed=self.seed, steps=self.steps)
            about = {"target": item.target, "network": network.name, "seed": self.seed}
            item.file = record.picture(len(result.items), image, about)
            item.extra["patch_activation"] = _rounded(float(patches.top.values[unit, 0]))
            result.items.append(item)
            images.append(record.read_back(item.file))
        saved = torch.stack(images)
        with torch.inference_mode():
            values = network.read(saved.to(network.device), [layer])[layer]
        for place, (unit, item) in enumerate(
            zip(patches.units, result.items[-len(images) :], strict=True)
        ):
            own = values[place, unit]
            middle = own[own.shape[0] // 2, own.shape[1] // 2] if own.ndim == 2 else own.mean()
            item.extra["synthetic_activation"] = _rounded(float(middle))
        return saved

    def _compare(
        self, patches: _LayerPatches, synthetic: Images, items: Sequence[Item]
    ) -> list[dict[str, Json]]:
        """Rank correlations of the synthetic pictures with the patches, a record a layer read.

        Those of patches of the same unit, and of other units, are what is to be compared with.
        """
        units, images, boxes = patches.all_images()
        if not len(units):
            return []
        middle = torch.tensor(patches.box_of(None)).expand(len(synthetic), 4)
        shown = torch.arange(len(synthetic))
        same = shown[:, None] == units
        pair = (units[:, None] == units) & ~torch.eye(len(units), dtype=torch.bool)
        records = []
        for network in (self.network, self.second):
            if network is None:
                continue
            own = network is self.network
            layers = _layers_up_to(network, patches.layer) if own else style_layers(network)[-1:]
            vectors = path_vectors(network, images, boxes, layers)
            pictures = path_vectors(network, synthetic, middle, layers)
            for layer in layers:
                across = rank_correlation(pictures[layer], vectors[layer]).cpu()
                natural = rank_correlation(vectors[layer], vectors[layer]).cpu()
                records.append(
                    {
                        "layer": patches.layer,
                        "at": layer if own else f"{network.name} {layer}",
                        "synthetic": _mean(across[same]),
                        "natural": _mean(natural[pair]),
                        "other": _mean(natural[units[:, None] != units]),
                    }
                )
                if own and layer == patches.layer:
                    for place, item in enumerate(items[-len(synthetic) :]):
                        item.extra["rank_correlation"] = _mean(across[place, units == place])
        return records

    def _sheet(
        self, record: Record, number: int, patches: _LayerPatches, synthetic: Images | None
    ) -> Figure:
        """A row a unit: its synthetic picture, where there is one, and its patches."""
        parts = []
        for row, unit in enumerate(patches.units):
            name = f"{patches.layer}:{unit}"
            if synthetic is not None:
                parts.append((_tile(patches.cropped(synthetic[row], None)), name))
            for slot in range(self.count):
                value = float(patches.top.values[unit, slot])
                label = f"{value:.3g}" if synthetic is not None or slot else f"{name}  {value:.3g}"
                if patches.fires(unit, slot):
                    parts.append((_tile(patches.patch(unit, slot)), label))
                else:
                    empty = _tile(torch.ones(3, TILE, TILE))
                    parts.append((empty, "" if slot else f"{name} never fires"))
        height, width = patches.extent
        beside = "its synthetic picture, then " if synthetic is not None else ""
        caption = (
            f"{patches.layer}: a unit a row, {beside}the {self.count} of {len(self.pictures)} "
            f"pictures that it responds to most, cut to the {height} x {width} pixels that it "
            f"sees. Under each its activation."
        )
        across = self.count + (synthetic is not None)
        return self.save_sheet(record, number, parts, across, caption)


class _LayerPatches:
    """What a layer's units respond to most, and the units of it that are shown.

    Args:
        probe: the probe.
        layer: name of the layer.
        top: its strongest pictures.
        field: what its units see.
    """

    def __init__(self, probe: Patches, layer: str, top: _Top, field: ReceptiveField) -> None:
        self.layer = layer
        self.top = _Top(top.values.cpu(), top.pictures.cpu(), top.spots.cpu())
        self.field = field
        self.collection: Collection = probe.pictures
        self.size = probe.network.size
        self.shape = probe.network.layers[layer]
        highest = self.top.values[:, 0]
        ordered = highest.argsort(descending=True, stable=True)[: probe.shown].tolist()
        firing = [unit for unit in ordered if highest[unit] > 0]
        self.units = firing if probe.units is None else probe.units

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
            "dead": len(_dead(self.top)),
        }

    def fires(self, unit: int, slot: int) -> bool:
        """Whether the activation is above 0."""
        return bool(self.top.values[unit, slot] > 0)

    def box_of(self, spot: int | None) -> tuple[int, int, int, int]:
        """What is seen from a place of the map, or from its middle; may exceed the border.

        Along an axis on which the field is as long as the picture, it is the whole picture.
        """
        rows, columns = len(self.field.rows), len(self.field.columns)
        row, column = (rows // 2, columns // 2) if spot is None else divmod(spot, columns)
        top, left, bottom, right = self.field.box(row, column)
        height, width = self.size
        if bottom - top >= height:
            top, bottom = 0, height
        if right - left >= width:
            left, right = 0, width
        return top, left, bottom, right

    def cropped(self, image: Tensor, spot: int | None) -> Tensor:
        """What a unit sees of an image [3, h, w]; grey beyond the border."""
        top, left, bottom, right = self.box_of(spot)
        height, width = self.size
        margins = (-left, right - width, -top, bottom - height)  # negative ones cut
        return functional.pad(image, margins, value=GREY)

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


def _tensors(top: _Top, field: ReceptiveField) -> dict[str, Tensor]:
    columns = len(field.columns)
    places = torch.stack([top.spots // columns, top.spots % columns], dim=2)
    return {
        "values": top.values,
        "pictures": top.pictures,
        "places": places,
        "receptive_field": field.boxes,
    }


def _dead(top: _Top) -> list[int]:
    """Units whose activation is above 0 nowhere."""
    return (top.values[:, 0] <= 0).nonzero()[:, 0].tolist()


def _layers_up_to(network: Network, layer: str) -> list[str]:
    """The network's own choice of layers from the first to `layer`, and that one."""
    order = list(network.layers)
    spatial = [name for name, shape in network.layers.items() if len(shape) == 3]
    earlier = style_layers(network) if any(min(network.layers[n][1:]) > 1 for n in spatial) else []
    return [*(name for name in earlier if order.index(name) < order.index(layer)), layer]


def _tile(image: Tensor) -> Image.Image:
    return sized(data.to_image(image), TILE, TILE)


def _mean(values: Tensor | Sequence[Json]) -> float | None:
    """The mean of those that are numbers, rounded; None where there are none."""
    numbers = [float(value) for value in values if value is not None and value == value]
    return round(sum(numbers) / len(numbers), 4) if numbers else None


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _some(units: Sequence[int], most: int = 12) -> str:
    more = f" and {len(units) - most} more" if len(units) > most else ""
    return ", ".join(map(str, units[:most])) + more
