"""Activation maps of layers for pictures, and the statistics of every channel over a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Images
from synth.core.network import Network
from synth.data.collection import Batch
from synth.errors import InputError, check_least, nearest
from synth.networks.directions import Source, directed
from synth.networks.style_layers import style_layers
from synth.probes.probe import Measurement, Probe, Tally, by_layer, units_of
from synth.record.record import Record
from synth.record.result import Figure, Json

TILE = 128  # pixels of a map on a sheet
COLOURS = ("grey", "viridis", "magma", "inferno", "cividis")  # of even steps in brightness


class Channels(Tally):
    """Mean, range and share of active places of every channel of a layer, over all pictures.

    Args:
        layer: name of the layer.
        channels: how many it has.
        device: where they are counted.
    """

    def __init__(self, layer: str, channels: int, device: torch.device) -> None:
        self.layer = layer
        self.total = torch.zeros(channels, device=device, dtype=torch.float64)
        self.active = torch.zeros(channels, device=device, dtype=torch.int64)
        self.low = torch.full((channels,), torch.inf, device=device)
        self.high = torch.full((channels,), -torch.inf, device=device)
        self.count = 0

    @property
    def mean(self) -> Tensor:
        """Of each channel over all places of all pictures, float32 [c]."""
        return (self.total / self.count).float()

    @property
    def share_active(self) -> Tensor:
        """The share of places, of all pictures, at which each channel is above 0, float32 [c]."""
        return (self.active.double() / self.count).float()

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        values = activations[self.layer]
        axes = (0, *range(2, values.ndim))
        self.count += values.numel() // values.shape[1]
        self.total += values.sum(axes)
        self.active += (values > 0).sum(axes)
        self.low = torch.minimum(self.low, values.amin(axes))
        self.high = torch.maximum(self.high, values.amax(axes))

    def state(self) -> dict[str, Tensor]:
        sums = {"total": self.total, "active": self.active, "low": self.low, "high": self.high}
        return sums | {"count": torch.tensor(self.count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.total, self.active = state["total"], state["active"]
        self.low, self.high = state["low"], state["high"]
        self.count = int(state["count"])


class First(Tally):
    """The first pictures that can be read, and their activations.

    Args:
        layers: names of layers.
        most: how many pictures.
    """

    def __init__(self, layers: Sequence[str], most: int) -> None:
        self.most = most
        self.parts: dict[str, list[Tensor]] = {
            name: [] for name in ("places", "images", *(f"at/{layer}" for layer in layers))
        }
        self.count = 0

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        left = self.most - self.count
        if left <= 0:
            return
        self.parts["places"].append(batch.places[:left])
        self.parts["images"].append(batch.images[:left])
        for layer, values in activations.items():
            # a copy: a slice would keep the whole batch
            self.parts[f"at/{layer}"].append(values[:left].clone())
        self.count += min(left, len(batch.places))

    def state(self) -> dict[str, Tensor]:
        return {name: torch.cat(parts) for name, parts in self.parts.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.parts = {name: [state[name]] for name in self.parts}
        self.count = len(state["places"])

    def places(self) -> list[int]:
        """Of the pictures in the collection."""
        return torch.cat(self.parts["places"]).tolist()

    def images(self) -> Images:
        """The pictures, float32 [n, 3, h, w]."""
        return torch.cat(self.parts["images"])

    def at(self, layer: str) -> Tensor:
        """Their activations at a layer, float32 [n, c, ...]."""
        return torch.cat(self.parts[f"at/{layer}"])


class Activations(Probe):
    """Maps of layers, the strongest channels first, and what each channel does over a folder.

    Args:
        network: the network.
        images: a folder, glob or list of pictures.
        layer: a layer or a list of layers; None for the network's `style_layers`.
        directions: vectors [k, channels] in the layer, or a file of them, in place of its channels.
        shown: how many pictures, the first ones, have their maps drawn.
        channels: maps a picture, those with the highest activations.
        unit: the channels whose maps are drawn, in place of those.
        colours: ``grey``, or a perceptually uniform map of colours: ``viridis``, ``magma``,
            ``inferno``, ``cividis``.

    Raises:
        InputError: for pictures or a layer that does not exist, unknown colours, or a number out of
            range.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        layer: str | Sequence[str] | None = None,
        shown: int = 4,
        channels: int = 8,
        colours: str = "grey",
        directions: Source | None = None,
        unit: int | Sequence[int] | None = None,
    ) -> None:
        if directions is not None:
            network, layer = directed(network, layer, directions)
        super().__init__(network, images, style_layers(network) if layer is None else layer)
        if not self.layers:
            raise InputError("layer=[]: name at least one layer.")
        check_least(1, shown=shown, channels=channels)
        if colours not in COLOURS:
            hint = nearest(colours, COLOURS) or f" Write one of {', '.join(COLOURS)}."
            raise InputError(f"colours={colours}: no such map of colours.{hint}")
        self.layers = list(dict.fromkeys(self.layers))
        self.units = units_of(unit, {name: network.layers[name][0] for name in self.layers})
        self.shown = shown
        self.channels = channels
        self.colours = colours

    def measure(self, record: Record) -> Measurement:
        network = self.network
        first = First(self.layers, self.shown)
        counts = {
            layer: Channels(layer, network.layers[layer][0], network.device)
            for layer in self.layers
        }
        tallies = {"first": first, **{f"at/{layer}": tally for layer, tally in counts.items()}}
        self.scan(record, self.layers, tallies)
        figures = [
            self._sheet(record, number, layer, first) for number, layer in enumerate(self.layers)
        ]
        tensors = {
            layer: {
                "activations": first.at(layer),
                "mean": tally.mean,
                "low": tally.low,
                "high": tally.high,
                "share_active": tally.share_active,
            }
            for layer, tally in counts.items()
        }
        record.tensors("activations", by_layer(tensors))
        layers = [_about(tally, network.layers[layer]) for layer, tally in counts.items()]
        return Measurement(
            findings={
                "units": sum(len(tally.low) for tally in counts.values()),
                "layers": len(layers),
                "pictures": len(self.pictures) - len(self.pictures.skipped),
                "dead_units": sum(int((tally.high <= 0).sum()) for tally in counts.values()),
            },
            figures=figures,
            layers=layers,
        )

    def _sheet(self, record: Record, number: int, layer: str, first: First) -> Figure:
        """A row a picture: the picture, then the maps of its strongest channels."""
        values = first.at(layer)
        maps = values if values.ndim == 4 else values[..., None].flatten(2)[..., None]
        count = min(self.channels, maps.shape[1]) if self.units is None else len(self.units)
        parts = []
        drawn: dict[str, None] = {}  # in order, each once
        for place, image, own in zip(first.places(), first.images(), maps.cpu(), strict=True):
            parts.append((_enlarged(data.to_image(image)), self.pictures.names[place]))
            heights = own.amax((1, 2))
            order = heights.topk(count).indices if self.units is None else torch.tensor(self.units)
            peaks = heights[order]
            lowest, highest = float(own[order].min()), float(peaks.max())
            for peak, channel in zip(peaks.tolist(), order.tolist(), strict=True):
                shade = (own[channel] - lowest) / max(highest - lowest, 1e-12)
                parts.append((_enlarged(self._drawn(shade)), f"{channel}: {peak:.3g}"))
                drawn[f"{layer}:{channel}"] = None
        chosen = (
            "units asked for"
            if self.units is not None
            else f"{count} channels with the highest activations"
        )
        caption = (
            f"{layer}: a picture a row, then the maps of the {chosen}. Behind each one's number "
            "is its highest activation. From dark to bright it is the lowest to the highest "
            "activation of the row."
        )
        return self.save_sheet(record, number, parts, 1 + count, caption, list(drawn))

    def _drawn(self, shade: Tensor) -> Image.Image:
        """A map [h, w] of values in [0, 1] as a picture."""
        if self.colours == "grey":
            return data.to_image(shade.expand(3, *shade.shape))
        coloured = colormaps[self.colours](shade.numpy(), bytes=True)
        return Image.fromarray(np.ascontiguousarray(coloured[:, :, :3]))


def _about(tally: Channels, shape: tuple[int, ...]) -> dict[str, Json]:
    """A layer's record in the table of the run."""
    return {
        "layer": tally.layer,
        "shape": list(shape),
        "mean": round(float(tally.mean.mean()), 4),
        "low": round(float(tally.low.min()), 4),
        "high": round(float(tally.high.max()), 4),
        "sparsity": round(1 - float(tally.share_active.mean()), 4),
        "dead": int((tally.high <= 0).sum()),
    }


def _enlarged(image: Image.Image) -> Image.Image:
    """An image on a square tile, its pixels kept sharp."""
    side = max(image.size)
    size = (max(1, image.width * TILE // side), max(1, image.height * TILE // side))
    small = side <= TILE
    return image.resize(size, Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
