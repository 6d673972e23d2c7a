"""Filters: the weights of layers as pictures, beside what they respond to.

A filter of the first layer is a linear function of the pixels that it sees. Of all pictures at one
distance from grey the filter itself has the highest response (the inequality of Cauchy and
Schwarz): the filter, the picture that maximises it and the patches that it responds to have the
same shape, which is measured here by their correlation.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from synth import data
from synth.core import Images
from synth.core.network import Network
from synth.data.sheet import sized
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError, check_least
from synth.networks.kernels import (
    COLOURS,
    channel_responses,
    first_channel,
    first_weighted_layer,
    kernels,
    pixel_kernels,
)
from synth.networks.receptive_field import ReceptiveField, receptive_fields
from synth.objectives.scores import Neuron
from synth.probes.attributions.colours import coloured, diverging, shaded
from synth.probes.probe import Measurement, Probe, by_layer, units_of
from synth.probes.strongest import GREY, LayerPatches, Strongest, box_of, cropped
from synth.record.record import Record
from synth.record.result import Item, Json
from synth.searches.gradient import Gradient

log = logging.getLogger(__name__)

Part = tuple[Image.Image, str]  # of a sheet: a picture and its label

TILE = 128  # pixels of a filter on a sheet
MAP = 224  # pixels of a response
ACROSS = 8  # tiles in a row
BESIDE = 12  # of them, where filters stand beside pictures
ROWS = 6  # of these
TILES = 48  # of filters and channels on a sheet
CHANNELS = 6  # whose responses are drawn
STEPS = 16  # of the ascent
CONTRAST = 0.15  # of the picture that maximises a filter: root mean square difference from grey


class Filters(Probe):
    """The weights of layers as pictures; of the first layer beside patches and maximal pictures.

    Tensors ``filters`` [units, channels, h, w], the weights. Of the layer that reads pixels, of the
    filters that are shown, also ``patch_pictures`` and ``maximising_pictures`` [n, 3, h, w], and
    their correlations with the filters ``correlation_patch`` and ``correlation_maximising`` [n].
    With pictures, of one filter ``unit`` on one ``picture``: its ``inputs`` [channels, h, w], the
    ``responses`` of each [channels, rows, columns] and their sum with the bias ``total``.

    Args:
        network: the network.
        images: a folder, glob or list of pictures; without, patches and responses are left out.
        layer: a convolution or a list of them; None for the first layer with weights. That may be a
            linear classifier on pixels, whose rows are template pictures.
        unit: the filters that are shown; None for the first `shown`.
        shown: how many, where `unit` is None.
        sort: whether filters, and their input channels, come in the order of their norms, largest
            first.
        steps: of the ascent to the picture that maximises a filter; 0 for none.
        seed: of that ascent.

    Raises:
        InputError: for a layer without weights that have rows and columns, pictures or a unit that
            does not exist, or a number out of range.
    """

    def __init__(
        self,
        network: Network,
        images: data.Sources | None = None,
        layer: str | Sequence[str] | None = None,
        unit: int | Sequence[int] | None = None,
        shown: int = 64,
        sort: bool = False,
        steps: int = STEPS,
        seed: int = 0,
    ) -> None:
        super().__init__(network, images, first_weighted_layer(network) if layer is None else layer)
        if not self.layers:
            raise InputError("layer=[]: name at least one layer.")
        check_least(1, shown=shown)
        check_least(0, steps=steps)
        self.layers = list(dict.fromkeys(self.layers))
        self.kernels = {name: kernels(network, name) for name in self.layers}
        self.units = units_of(unit, {name: len(own) for name, own in self.kernels.items()})
        self.shown = shown
        self.sort = sort
        self.steps = steps
        self.seed = seed

    def measure(self, record: Record) -> Measurement:
        strongest = None
        result = Measurement(layers=[])
        result.findings = {"filters": sum(map(len, self.kernels.values()))}
        if self.collection is not None:
            strongest = Strongest(self.network, self.layers, 1)
            self.scan(record, self.layers, {"strongest": strongest})
        fields = receptive_fields(self.network)
        tensors = {}
        for layer, own in self.kernels.items():
            shown = self._shown(own)
            patches = None
            if strongest is not None:
                patches = LayerPatches(
                    self.network, self.pictures, layer, strongest.tops[layer], fields[layer], shown
                )
            filters = _LayerFilters(self, layer, shown, fields[layer], patches)
            result.layers = [*(result.layers or ()), _about(layer, own)]
            tensors[layer] = filters.draw(record, result)
        if strongest is not None:
            dead = {layer: len(top.dead) for layer, top in strongest.tops.items()}
            result.findings["dead_filters"] = sum(dead.values())
            for layer, count in dead.items():
                if count:
                    log.warning("%s: %d of its filters never fire", layer, count)
        record.tensors("filters", by_layer(tensors))
        return result

    def _shown(self, own: Tensor) -> list[int]:
        """The filters of a layer that are shown, in order."""
        if self.units is not None:
            return self.units
        order = torch.arange(len(own))
        if self.sort:
            order = own.flatten(1).norm(dim=1).argsort(descending=True, stable=True)
        return order[: self.shown].tolist()


class _LayerFilters:
    """The sheets and numbers of one layer.

    Args:
        probe: the probe.
        layer: name of the layer.
        units: the filters that are shown.
        field: what they see.
        patches: what they respond to most; None without pictures.
    """

    def __init__(
        self,
        probe: Filters,
        layer: str,
        units: Sequence[int],
        field: ReceptiveField,
        patches: LayerPatches | None,
    ) -> None:
        self.probe = probe
        self.network = probe.network
        self.layer = layer
        self.units = list(units)
        self.field = field
        self.patches = patches
        self.kernels = probe.kernels[layer].cpu()
        self.is_template = isinstance(self.network.part(layer), nn.Linear)

    def name(self, unit: int) -> str:
        """What a filter is called: a template has the name of its class."""
        classes = self.network.classes
        if self.is_template and len(classes) == len(self.kernels):
            return classes.label(unit)
        return f"{self.layer}:{unit}"

    def draw(self, record: Record, result: Measurement) -> dict[str, Tensor]:
        """Adds sheets, items and findings to `result`; gives the tensors."""
        tensors = {"filters": self.kernels}
        pixels = pixel_kernels(self.network, self.layer)
        if pixels is not None:
            self._draw_colours(record, result)
            top, left, bottom, right = box_of(self.field)
            if pixels.shape[2:] == (bottom - top, right - left):
                tensors |= self._compare(record, result, pixels[self.units].cpu())
        if not self.is_template:
            self._draw_channels(record, result)
            if self.patches is not None:
                tensors |= self._draw_responses(record, result, self.patches)
        return tensors

    def _save(
        self,
        record: Record,
        result: Measurement,
        parts: Sequence[Part],
        across: int,
        caption: str,
        units: Sequence[str] | None = None,
    ) -> None:
        blank = _tile(torch.ones(3, 1, 1)), ""
        whole = [*parts, *[blank] * (-len(parts) % across)]  # so that rows are of one length
        figure = self.probe.save_sheet(record, len(result.figures), whole, across, caption, units)
        result.figures.append(figure)

    def _draw_colours(self, record: Record, result: Measurement) -> None:
        parts = [(_tile(coloured(self.kernels[unit])), self.name(unit)) for unit in self.units]
        height, width = self.kernels.shape[2:]
        what = "templates" if self.is_template else "filters"
        order = ", the largest norm first" if self.probe.sort else ""
        caption = (
            f"{self.layer}: the weights of {len(self.units)} of its {len(self.kernels)} {what}, "
            f"{height} x {width} pixels, as colours{order}. Mid grey is 0; brighter in a colour "
            "means that more of it raises the response, darker that it lowers it."
        )
        units = None if self.is_template else [self.name(unit) for unit in self.units]
        self._save(record, result, parts, min(len(parts), ACROSS), caption, units)

    # -- beside what they respond to -------------------------------------------------------------

    def _compare(self, record: Record, result: Measurement, filters: Tensor) -> dict[str, Tensor]:
        """The filters that are shown, in units of pixels [n, 3, h, w], beside other pictures."""
        beside: dict[str, Tensor] = {}
        if self.patches is not None:
            beside["patch"] = torch.stack([self._patch(unit) for unit in self.units])
        if self.probe.steps:
            beside["maximising"] = self._maximising(record, result, filters)
        if not beside:
            return {}
        values = {name: correlation(filters, images) for name, images in beside.items()}
        for name, own in values.items():
            result.findings[f"median_correlation_{name}"] = _median(own.abs())
        table: list[Json] = []
        for place, unit in enumerate(self.units):
            numbers = {name: _number(own[place]) for name, own in values.items()}
            table.append(
                {"filter": self.name(unit), "norm": _number(self.kernels[unit].norm()), **numbers}
            )
            if "maximising" in beside:
                item = result.items[place - len(self.units)]
                item.extra |= {f"correlation_{name}": value for name, value in numbers.items()}
        result.findings["correlations"] = table
        self._draw_beside(record, result, beside, values)
        tensors = {f"{name}_pictures": images for name, images in beside.items()}
        return tensors | {f"correlation_{name}": own for name, own in values.items()}

    def _patch(self, unit: int) -> Tensor:
        """The strongest patch; grey of a unit that never fires."""
        assert self.patches is not None
        if self.patches.fires(unit, 0):
            return self.patches.patch(unit, 0)
        return torch.full(self.kernels.shape[1:], GREY)

    def _maximising(self, record: Record, result: Measurement, filters: Tensor) -> Images:
        """The saved pictures that maximise the filters, cut to what they see, with an item each."""
        steps, seed = self.probe.steps, self.probe.seed
        length = CONTRAST * math.sqrt(filters[0].numel())
        experiment = Experiment(
            self.network,
            Pixels(start="mean", mean=(GREY,) * 3),
            Neuron(self.layer, self.units),
            Gradient(steps, rule="unit", rate=length / steps, momentum=0.0),
            seed=seed,
        )
        search = experiment.search()
        if search.interrupted:
            raise KeyboardInterrupt
        saved = []
        for unit, image in zip(self.units, search.images.cpu(), strict=True):
            item = Item(target=self.name(unit), seed=seed, steps=steps)
            about = {"target": item.target, "network": self.network.name, "seed": seed}
            own = cropped(image, self.field)
            item.file = record.picture(len(result.items), own, about)
            result.items.append(item)
            saved.append(record.read_back(item.file))
        return torch.stack(saved)

    def _draw_beside(
        self,
        record: Record,
        result: Measurement,
        beside: Mapping[str, Tensor],
        values: Mapping[str, Tensor],
    ) -> None:
        what = {
            "patch": "the patch with the highest response",
            "maximising": "the picture that maximises it at a fixed distance from grey",
        }
        medians = ", ".join(f"{name} {_median(own.abs())}" for name, own in values.items())
        caption = (
            f"{self.layer}: each filter, then {', then '.join(what[name] for name in beside)}. "
            f"Under each its correlation with the filter; absolute values, median: {medians}."
        )
        groups = []
        for place, unit in enumerate(self.units):
            group = [(_tile(coloured(self.kernels[unit])), self.name(unit))]
            for name, images in beside.items():
                number = _number(values[name][place])
                label = f"{name} flat" if number is None else f"{name} {number:.2f}"
                if name == "patch" and self.patches is not None and not self.patches.fires(unit, 0):
                    label = "never fires"
                group.append((_tile(images[place]), label))
            groups.append(group)
        in_row = BESIDE // len(groups[0])
        for first in range(0, len(groups), in_row * ROWS):
            some = groups[first : first + in_row * ROWS]
            parts = [part for group in some for part in group]
            self._save(record, result, parts, min(in_row, len(some)) * len(some[0]), caption)

    # -- channel by channel ----------------------------------------------------------------------

    def _draw_channels(self, record: Record, result: Measurement) -> None:
        """A tile for each filter and input channel, on one scale a filter."""
        count, height, width = self.kernels.shape[1:]
        most = min(count, ACROSS)
        units = self.units[: TILES // most]
        parts: list[Part] = []
        for unit in units:
            own = self.kernels[unit]
            order = torch.arange(count)
            if self.probe.sort:
                order = own.flatten(1).norm(dim=1).argsort(descending=True, stable=True)
            largest = float(own.abs().max())
            for channel in order[:most].tolist():
                label = f"{unit}, {self._channel(unit, channel)}"
                parts.append((_tile(shaded(own[channel], largest)), label))
        order = "the largest norms first, " if self.probe.sort else ""
        few = f"the first {most} of {count}" if most < count and not self.probe.sort else count
        few = f"{most} of {count}" if most < count and self.probe.sort else few
        caption = (
            f"{self.layer}: the weights of {len(units)} of its {len(self.kernels)} "
            f"filters, {height} x {width}, {order}apart for {few} input "
            f"channel{'s' if count > 1 else ''}: filter, channel. Mid grey is 0, white the "
            "largest weight of the filter, black as much below 0."
        )
        self._save(record, result, parts, most * max(1, BESIDE // most), caption)

    def _channel(self, unit: int, channel: int) -> str:
        """What an input channel of a filter is called."""
        if self.layer == first_weighted_layer(self.network) and self.kernels.shape[1] == 3:
            return COLOURS[channel]
        return f"input {first_channel(self.network.part(self.layer), unit) + channel}"

    def _draw_responses(
        self, record: Record, result: Measurement, patches: LayerPatches
    ) -> dict[str, Tensor]:
        """One filter and picture: each input channel, its kernel and response, and their sum."""
        highest = patches.top.values[:, 0]
        unit = self.units[0] if self.probe.units else max(self.units, key=highest.__getitem__)
        place = int(patches.top.pictures[unit, 0])
        if place < 0:  # the network answers NaN
            return {}
        image = patches.image(unit, 0)
        parts = channel_responses(
            self.network, self.layer, unit, image[None].to(self.network.device)
        )
        inputs, responses, total = (
            values[0].cpu() for values in (parts.inputs, parts.responses, parts.total)
        )
        peaks = responses.abs().amax((1, 2))
        order = sorted(peaks.argsort(descending=True)[:CHANNELS].tolist())
        largest = float(torch.cat([peaks[order], total.abs().amax()[None]]).max())
        weight = float(self.kernels[unit].abs().max())
        low, high = float(inputs[order].min()), float(inputs[order].max())
        tiles: list[Part] = []
        for channel in order:
            shade = ((inputs[channel] - low) / max(high - low, 1e-12)).expand(3, -1, -1)
            tiles += [
                (_tile(shade, MAP), self._channel(unit, channel)),
                (_tile(shaded(self.kernels[unit, channel], weight), MAP), "its kernel"),
                (
                    _tile(diverging(responses[channel], largest), MAP),
                    f"response {_span(responses[channel])}",
                ),
            ]
        rest = [channel for channel in range(len(responses)) if channel not in order]
        blank = _tile(torch.ones(3, 1, 1), MAP), ""
        if rest:
            others = responses[rest].sum(0)
            name = f"{len(rest)} other channels {_span(others)}"
            tiles += [blank, blank, (_tile(diverging(others, largest), MAP), name)]
        bias = f" and bias {parts.bias:.2g}" if parts.bias else ""
        tiles += [
            (_tile(image, MAP), self.probe.pictures.names[place]),
            (blank[0], "sum of the responses:"),
            (_tile(diverging(total, largest), MAP), f"z {_span(total)}"),
        ]
        caption = (
            f"{self.layer}:{unit} on {self.probe.pictures.names[place]}: each input channel, its "
            f"kernel and its response; last the sum of all{bias}, which is the activation z. Red "
            "is above 0, blue below, on one scale."
        )
        self._save(record, result, tiles, 3 if len(order) <= 3 else 6, caption)
        return {
            "inputs": inputs,
            "responses": responses,
            "total": total,
            "unit": torch.tensor(unit),
            "picture": torch.tensor(place),
        }


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of each pair, over all values of both; NaN where one is constant.

    Args:
        first: float [n, ...].
        second: float [n, ...], of the same shape.

    Returns:
        float32 [n].
    """
    rows = [
        values.flatten(1) - values.flatten(1).mean(1, keepdim=True) for values in (first, second)
    ]
    lengths = rows[0].norm(dim=1) * rows[1].norm(dim=1)
    # rounding leaves something of a constant
    flat = lengths <= 1e-6 * (first.flatten(1).norm(dim=1) * second.flatten(1).norm(dim=1))
    return ((rows[0] * rows[1]).sum(1) / lengths).masked_fill(flat, torch.nan)


def _about(layer: str, own: Tensor) -> dict[str, Json]:
    """A layer's record in the table of the run."""
    norms = own.flatten(1).norm(dim=1)
    return {
        "layer": layer,
        "filters": len(own),
        "channels": own.shape[1],
        "kernel": f"{own.shape[2]} x {own.shape[3]}",
        "mean_norm": _number(norms.mean()),
        "least_norm": _number(norms.min()),
    }


def _tile(image: Tensor, side: int = TILE) -> Image.Image:
    return sized(data.to_image(image), side, side)


def _span(values: Tensor) -> str:
    return f"{float(values.min()):.2g} to {float(values.max()):.2g}"


def _number(value: Tensor) -> float | None:
    number = float(value)
    return round(number, 4) if math.isfinite(number) else None


def _median(values: Tensor) -> float | None:
    """The median of those that are numbers."""
    numbers = values[values.isfinite()]
    return round(float(numbers.quantile(0.5)), 4) if len(numbers) else None
