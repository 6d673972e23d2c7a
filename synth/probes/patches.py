"""The patches of pictures that units respond to most: top activations of every unit, in one pass.

Source: Girshick, Donahue, Darrell & Malik 2014, Rich feature hierarchies, and Zeiler & Fergus 2014,
who look at units so; Geirhos et al. 2023 for the comparison with synthetic pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Images
from synth.core.network import Network
from synth.data.sheet import sized
from synth.encodings.fourier import Fourier
from synth.engine.experiment import Experiment
from synth.errors import InputError, check_least
from synth.networks.directions import Source, directed
from synth.networks.path_similarity import path_vectors, rank_correlation
from synth.networks.receptive_field import ReceptiveField, receptive_fields
from synth.networks.style_layers import style_layers, unit_layer
from synth.objectives.scores import Neuron
from synth.probes.probe import Measurement, Probe, by_layer, units_of
from synth.probes.strongest import LayerPatches, Strongest, Top
from synth.record.record import Record
from synth.record.result import Figure, Item, Json
from synth.searches.gradient import Gradient
from synth.transforms.affine import Chain, Jitter, Rotate, Scale

log = logging.getLogger(__name__)

TILE = 128  # pixels of a patch on a sheet


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
        directions: vectors [k, channels] in the layer, or a file of them: its units in place of its
            channels.
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
        directions: Source | None = None,
    ) -> None:
        if directions is not None:
            network, layer = directed(network, layer, directions)
        super().__init__(network, images, unit_layer(network) if layer is None else layer)
        check_least(1, k=k, shown=shown)
        check_least(0, steps=steps)
        if not self.layers:
            raise InputError("layer=[]: name at least one layer.")
        self.layers = list(dict.fromkeys(self.layers))
        self.units = units_of(unit, {name: network.layers[name][0] for name in self.layers})
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
        networks = [self.network] if self.second is None else [self.network, self.second]
        for number, (layer, top) in enumerate(strongest.tops.items()):
            patches = LayerPatches(
                self.network, self.pictures, layer, top, fields[layer], self.units, self.shown
            )
            result.layers = [*(result.layers or ()), patches.about()]
            if patches.units:
                synthetic = self._synthetic(record, patches, result)
                if synthetic is not None:
                    comparison += compare(networks, patches, synthetic, result.items)
                result.figures.append(self._sheet(record, number, patches, synthetic))
        tensors = {layer: _tensors(top, fields[layer]) for layer, top in strongest.tops.items()}
        record.tensors("patches", by_layer(tensors))
        dead = {layer: top.dead for layer, top in strongest.tops.items()}
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

    # -- sheets ----------------------------------------------------------------------------------

    def _synthetic(
        self, record: Record, patches: LayerPatches, result: Measurement
    ) -> Images | None:
        """The synthetic pictures of the units, saved, with an item each; None where switched off.

        All units of the layer are searched in one batch.
        """
        if not self.steps:
            return None
        network, layer = self.network, patches.layer
        drawn = synthetic_images(network, layer, patches.units, self.steps, self.seed)
        images = []
        for unit, image in zip(patches.units, drawn, strict=True):
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

    def _sheet(
        self, record: Record, number: int, patches: LayerPatches, synthetic: Images | None
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
        units = [f"{patches.layer}:{unit}" for unit in patches.units]
        return self.save_sheet(record, number, parts, across, caption, units)


def synthetic_images(
    network: Network, layer: str, units: Sequence[int], steps: int, seed: int
) -> Images:
    """Synthetic pictures of units, [n, 3, h, w], by gradient ascent as ``recipe=neuron_ascent``.

    All are searched in one batch. Of a layer with places it is the unit in the middle.

    Raises:
        KeyboardInterrupt: by Ctrl-C.
    """
    experiment = Experiment(
        network,
        Fourier(),
        Neuron(layer, units),
        Gradient(steps),
        Chain([Jitter(0.1), Scale(0.8, 1.2), Rotate(15.0)]),
        seed=seed,
    )
    search = experiment.search()
    if search.interrupted:
        raise KeyboardInterrupt
    return search.images


def compare(
    networks: Sequence[Network], patches: LayerPatches, synthetic: Images, items: Sequence[Item]
) -> list[dict[str, Json]]:
    """Rank correlations of synthetic pictures with the patches, a record a layer read.

    Those of patches of the same unit, and of other units, are what is to be compared with.

    Args:
        networks: the one whose units they are, and others that read the pictures too.
        patches: of the units.
        synthetic: a picture a unit.
        items: the last ones are of these pictures, and get theirs.
    """
    units, images, boxes = patches.all_images()
    if not len(units):
        return []
    middle = torch.tensor(patches.box_of(None)).expand(len(synthetic), 4)
    shown = torch.arange(len(synthetic))
    same = shown[:, None] == units
    pair = (units[:, None] == units) & ~torch.eye(len(units), dtype=torch.bool)
    records = []
    for network in networks:
        own = network is networks[0]
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


def _tensors(top: Top, field: ReceptiveField) -> dict[str, Tensor]:
    columns = len(field.columns)
    places = torch.stack([top.spots // columns, top.spots % columns], dim=2)
    return {
        "values": top.values,
        "pictures": top.pictures,
        "places": places,
        "receptive_field": field.boxes,
    }


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
