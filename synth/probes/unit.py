"""One unit of any layer on one page: what it weighs, what it responds to, what it would like.

Its kernels, the patches that it responds to most with guided backpropagation on each, its synthetic
pictures by three encodings and how far they can be trusted, and statistics of its activations.
"""

from __future__ import annotations

import logging
from math import prod

import torch
from PIL import Image
from torch import Tensor, nn

from synth import data
from synth.core import Encoding, Images
from synth.core.layers import DIRECTION
from synth.core.network import Network
from synth.data.sheet import sized
from synth.encodings.generator import Generator
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError, check_least
from synth.networks.directions import Source, directed
from synth.networks.kernels import COLOURS, first_channel, kernels_if_any, pixel_kernels
from synth.networks.receptive_field import receptive_fields
from synth.objectives.scores import Neuron
from synth.probes.activations import Channels
from synth.probes.attributions.colours import coloured, shaded
from synth.probes.attributions.score import Score
from synth.probes.patches import compare, synthetic_images
from synth.probes.probe import Measurement, Probe
from synth.probes.strongest import LayerPatches, Strongest, cropped
from synth.record.record import Record
from synth.record.result import Item, Json
from synth.searches.gradient import Gradient
from synth.searches.regularisers import Regularisers

log = logging.getLogger(__name__)

Part = tuple[Image.Image, str]  # of a sheet: a picture and its label

TILE = 160  # pixels of a patch on a sheet
LARGE = 320  # of a synthetic picture
ACROSS = 8  # tiles in a row
KERNELS = 16  # of a filter that are shown, of the input channels with the largest norms
LIGHT = Regularisers(decay=1e-4, blur_every=4, blur_sigma=0.5)  # as of recipe=class_ascent


class Unit(Probe):
    """Everything about one unit.

    Tensors ``unit``: of the ``patches`` [k, 3, h, w] that it responds to most ``values`` [k] and
    ``places`` in the collection [k], their ``guided`` gradients [k, 3, h, w]; its synthetic
    ``pictures`` [n, 3, h, w]; ``kernel`` [channels, h, w] where it has one.

    Args:
        network: the network.
        images: a folder, glob or list of pictures.
        unit: layer and channel, as ``conv5:17``.
        k: patches, each of another picture.
        steps: of the ascent to each synthetic picture; 0 for none.
        seed: of the ascents.
        generator: a file of a generator, which draws one of them; None for the one in the package,
            where it was trained for this network.
        directions: vectors [k, channels] in the layer, or a file of them: its units in place of its
            channels.

    Raises:
        InputError: for pictures, a layer or a unit that does not exist, or a number out of range.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        unit: str | int,
        k: int = 8,
        steps: int = 256,
        seed: int = 0,
        generator: str | None = None,
        directions: Source | None = None,
    ) -> None:
        layer, _, number = str(unit).rpartition(":")
        if not layer or not number.isdecimal():
            raise InputError(f"unit={unit}: write a layer and a channel of it, such as conv3:17.")
        if directions is not None:
            network, layer = directed(network, layer, directions)
        self.name = f"{layer}:{number}"
        super().__init__(network, images, layer)
        self.layer, self.unit = layer, int(number)
        most = network.layers[layer][0]
        if self.unit >= most:
            raise InputError(f"unit={unit}: {layer} has units 0 to {most - 1}.")
        check_least(1, k=k)
        check_least(0, steps=steps)
        if k > len(self.pictures):
            log.warning("k=%d: there are %d pictures, so many patches", k, len(self.pictures))
        self.count = min(k, len(self.pictures))
        self.steps = steps
        self.seed = seed
        self.generator = _generator(network, generator)

    def measure(self, record: Record) -> Measurement:
        network, layer, unit = self.network, self.layer, self.unit
        strongest = Strongest(network, [layer], self.count)
        channels = Channels(layer, network.layers[layer][0], network.device)
        self.scan(record, [layer], {"strongest": strongest, "channels": channels})
        field = receptive_fields(network)[layer]
        patches = LayerPatches(network, self.pictures, layer, strongest.tops[layer], field, [unit])
        height, width = field.extent
        result = Measurement(
            {
                "unit": self.name,
                "highest_activation": _rounded(channels.high[unit]),
                "mean_activation": _rounded(channels.mean[unit]),
                "lowest_activation": _rounded(channels.low[unit]),
                "share_active": _rounded(channels.share_active[unit]),
                "receptive_field": f"{height} x {width}",
                "pictures": strongest.pictures,
                "duplicate_pictures": strongest.duplicates,
            }
        )
        tensors = self._strongest_patches(record, result, patches)
        if self.steps:
            tensors["pictures"] = self._synthetic(record, result, patches)
        tensors |= self._kernel(record, result)
        record.tensors("unit", tensors)
        return result

    def _strongest_patches(
        self, record: Record, result: Measurement, patches: LayerPatches
    ) -> dict[str, Tensor]:
        """The patches over guided backpropagation of the unit's activation in each."""
        unit, top = self.unit, patches.top
        slots = [slot for slot in range(self.count) if patches.fires(unit, slot)]
        if not slots:
            result.findings["never_fires"] = True
            log.warning("%s never fires: its activation is above 0 in no picture", self.name)
            return {}
        spots = top.spots[unit, slots]
        images = torch.stack([patches.image(unit, slot) for slot in slots])
        places = prod(self.network.layers[self.layer][1:])
        score = Score(self.network, self.layer)
        device = self.network.device
        gradients = score.gradient(
            images.to(device), (unit * places + spots).to(device), guided=True
        ).cpu()
        crops = [
            cropped(image, patches.field, spot)
            for image, spot in zip(images, spots.tolist(), strict=True)
        ]
        guided = [
            cropped(gradient, patches.field, spot, beyond=0.0)
            for gradient, spot in zip(gradients, spots.tolist(), strict=True)
        ]
        parts = [
            (_tile(image), f"{value:.3g}")
            for image, value in zip(crops, top.values[unit, slots].tolist(), strict=True)
        ]
        parts += [(_tile(coloured(values)), "guided backprop") for values in guided]
        height, width = patches.extent
        caption = (
            f"{self.name}: the {len(slots)} of {len(self.pictures)} pictures that it responds to "
            f"most, cut to the {height} x {width} pixels that it sees, over its activation; below, "
            "guided backpropagation: the pixels that raise it, grey where none does."
        )
        figure = self.save_sheet(record, len(result.figures), parts, len(slots), caption)
        result.figures.append(figure)
        return {
            "patches": torch.stack(crops),
            "guided": torch.stack(guided),
            "values": top.values[unit, slots],
            "places": top.pictures[unit, slots],
        }

    def _kernel(self, record: Record, result: Measurement) -> dict[str, Tensor]:
        """The unit's weights, as colours where it reads pixels, and a tile an input channel."""
        name = _weighted(self.network, self.layer)
        if name is None:
            return {}
        own = kernels_if_any(self.network, name)
        assert own is not None
        kernel = own[self.unit].cpu()
        on_pixels = pixel_kernels(self.network, name) is not None
        norms, largest = kernel.flatten(1).norm(dim=1), float(kernel.abs().max())
        order = norms.argsort(descending=True, stable=True)[:KERNELS].tolist()
        order = [0, 1, 2] if on_pixels else order
        parts: list[Part] = [(_tile(coloured(kernel)), "all colours")] if on_pixels else []
        part = self.network.part(name)
        first = first_channel(part, self.unit) if isinstance(part, nn.Conv2d) else 0
        for channel in order:
            label = COLOURS[channel] if on_pixels else f"input {first + channel}"
            parts.append((_tile(shaded(kernel[channel], largest)), label))
        of = "" if name == self.layer else f", those of {name}:{self.unit}"
        shown = "" if len(order) == len(kernel) else f", the {len(order)} of largest norm"
        caption = (
            f"{self.name}: its weights{of}, {kernel.shape[1]} x {kernel.shape[2]}, for each of "
            f"{len(kernel)} input channels{shown}. Mid grey is 0, white raises the activation, "
            "black lowers it."
        )
        figure = self.save_sheet(record, len(result.figures), parts, ACROSS, caption)
        result.figures.append(figure)
        return {"kernel": kernel}

    # -- synthetic pictures ----------------------------------------------------------------------

    def _synthetic(self, record: Record, result: Measurement, patches: LayerPatches) -> Images:
        """The saved synthetic pictures, with an item each and the rank correlations."""
        drawn = {
            "pixels": self._searched(
                Pixels(start="mean"),
                Gradient(self.steps, "normalised", 0.01, momentum=0.0, regularisers=LIGHT),
            ),
            "fourier": synthetic_images(
                self.network, self.layer, [self.unit], self.steps, self.seed
            ),
        }
        if self.generator is not None:
            decay = Regularisers(decay=0.03)
            search = Gradient(self.steps, "normalised", 0.3, 0.0, momentum=0.0, regularisers=decay)
            drawn["generator"] = self._searched(self.generator, search)
        saved, parts = [], []
        table: dict[str, dict[str, Json]] = {}  # a row a layer
        for name, images in drawn.items():
            item = Item(target=self.name, seed=self.seed, steps=self.steps)
            item.extra["encoding"] = name
            about = {"target": item.target, "network": self.network.name, "seed": self.seed}
            item.file = record.picture(len(result.items), images[0].cpu(), about)
            image = record.read_back(item.file)
            item.score = self._activation(image)
            for row in compare([self.network], patches, image[None], [item]):
                at = str(row["at"])
                table.setdefault(at, {"at": at, "patches": row["natural"]})[name] = row["synthetic"]
            result.items.append(item)
            saved.append(image)
            parts.append((_tile(patches.cropped(image, None), LARGE), f"{name} {item.score:.3g}"))
        if table:
            own = table[self.layer]
            result.findings |= {f"rank_correlation_{name}": own[name] for name in drawn}
            result.findings["rank_correlation_natural"] = own["patches"]
            result.findings["rank_correlations"] = list(table.values())
        caption = (
            f"{self.name}: its synthetic pictures, found by gradient ascent on {', '.join(drawn)}, "
            "cut to what the unit in the middle sees, over its activation."
        )
        figure = self.save_sheet(record, len(result.figures), parts, len(parts), caption)
        result.figures.append(figure)
        return torch.stack(saved)

    def _searched(self, encoding: Encoding, search: Gradient) -> Images:
        """The image of the unit's highest activation, [1, 3, h, w]; of a map, in the middle."""
        objective = Neuron(self.layer, self.unit)
        ran = Experiment(self.network, encoding, objective, search, seed=self.seed).search()
        if ran.interrupted:
            raise KeyboardInterrupt
        return ran.images

    def _activation(self, image: Tensor) -> float:
        """The unit's activation for an image [3, h, w]; of a map, in the middle."""
        with torch.inference_mode():
            values = self.network.read(image[None].to(self.network.device), [self.layer])
        own = values[self.layer][0, self.unit]
        middle = own[own.shape[0] // 2, own.shape[1] // 2] if own.ndim == 2 else own.mean()
        return _rounded(middle)


def _generator(network: Network, file: str | None) -> Generator | None:
    """A generator that was trained for the network, or the one that is asked for."""
    generator = Generator(file)
    if file is None and generator.trained_for.sha256 != network.sha256:
        return None
    return generator


def _weighted(network: Network, layer: str) -> str | None:
    """The layer itself, where it has kernels, or the one whose activation function it is."""
    if layer == DIRECTION:
        return None
    names = [layer, *(name for name in network.layers if network.rectified(name) == layer)]
    return next((name for name in names if kernels_if_any(network, name) is not None), None)


def _tile(image: Tensor, side: int = TILE) -> Image.Image:
    return sized(data.to_image(image), side, side)


def _rounded(value: Tensor) -> float:
    return float(f"{float(value):.6g}")
