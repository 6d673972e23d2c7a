"""Occlusion: how much a class's score drops where a window of the picture is covered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synth import data
from synth.core.classes import Name
from synth.core.network import OUTPUT, Network
from synth.core.types import Images
from synth.errors import InputError
from synth.networks.directions import Source, directed
from synth.probes.attributions import colours
from synth.probes.attributions.explained import Explained
from synth.probes.attributions.fills import check_fill, fill
from synth.probes.attributions.maps import item_of, percent, tile
from synth.probes.attributions.score import Score
from synth.probes.attributions.windows import Occluder, Windows
from synth.probes.probe import Measurement, Probe
from synth.record.record import Record
from synth.record.result import Figure, Item

SHEETS = 24  # pictures that have one
SHARES = (7, 28)  # window and stride by default: a seventh and a 28th of the shorter side

Pair = int | Sequence[int]  # of height and width


def drops(occluder: Occluder, images: Images, neurons: Tensor, cover: Images) -> Tensor:
    """By how much each score drops under each window, float32 [n, windows].

    Args:
        occluder: the score and the windows.
        images: [n, 3, h, w], RGB in [0, 1], on the network's device.
        neurons: whose score is explained, int64 [n].
        cover: what covers them, [n, 3, h, w].
    """
    with torch.inference_mode():
        whole = occluder.score(images, neurons)
        parts = zip(images, neurons, cover, strict=True)
        return whole[:, None] - torch.stack([occluder(*part) for part in parts])


class Drops(Explained):
    """The drops of all pictures of a pass.

    Args:
        occluder: the score and the windows.
        cover: name of what covers them.
        names: as of `Explained`, like all that follows.
        unit: the class or channel that is explained.
        seed: of random numbers.

    Attributes:
        values: float32 [n, windows], on the CPU.
    """

    def __init__(
        self, occluder: Occluder, cover: str, names: Sequence[str], unit: int | None, seed: int
    ) -> None:
        super().__init__(occluder.score, names, unit, seed, "occlusion")
        self.occluder, self.cover = occluder, cover
        self.values = torch.zeros(len(names), len(occluder.windows))

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {"values": self.values}

    def explain(self, places: Tensor, images: Images, neurons: Tensor, keys: Tensor) -> None:
        cover = fill(self.cover, images, self.score.network, keys)
        self.values[places] = drops(self.occluder, images, neurons, cover).cpu()


class Occlusion(Probe):
    """Covers each picture window by window and maps the drop of the score.

    A pixel's value is the mean over the windows that cover it. Tensors ``occlusion``: ``maps``
    float32 [n, h, w]; ``drops`` [n, rows, columns], one a window; ``neurons`` int64 [n], the class
    or neuron that each is about.

    Source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks".

    Args:
        network: the network.
        images: a folder, glob, list or name of pictures.
        window: its height and width in pixels, or one number for both; by default a seventh of the
            picture's shorter side.
        stride: pixels from a window to the next; by default a 28th.
        fill: what covers: ``average``, the picture's own mean colour; ``mean``, the colour by which
            the network normalises; ``grey``, ``black``, ``blur``, ``noise``.
        target: the class that is explained; by default the one that is predicted.
        score: of a class ``probability`` or ``logit``.
        layer: explain a neuron of this layer in place of a class.
        unit: its channel; by default the channel that is strongest in the picture.
        directions: vectors [k, channels] in the layer, or a file of them, in place of its channels.
        seed: of the noise.

    Raises:
        InputError: a window or stride that does not fit, no such fill, class, layer or unit.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        window: Pair | None = None,
        stride: Pair | None = None,
        fill: str = "average",
        target: Name | None = None,
        score: str = "probability",
        layer: str | None = None,
        unit: int | None = None,
        seed: int = 0,
        directions: Source | None = None,
    ) -> None:
        if directions is not None:
            network, layer = directed(network, layer, directions)
        super().__init__(network, images)
        self.score = Score(network, layer or OUTPUT, score)
        self.unit = self.score.unit(target, unit)
        self.fill = check_fill(fill)
        short = min(network.size)
        least = [max(1, short // share) for share in SHARES]
        sides = _pair("window", least[0] if window is None else window, network.size)
        steps = _pair("stride", least[1] if stride is None else stride, network.size)
        self.windows = Windows(network.size, sides, steps)
        self.seed = seed

    def measure(self, record: Record) -> Measurement:
        names = self.pictures.names
        tally = Drops(Occluder(self.score, self.windows), self.fill, names, self.unit, self.seed)
        # a picture has many windows: a small batch is a whole one, and checkpoints come in time
        self.scan(record, [OUTPUT], {"drops": tally}, batch=1)
        places = tally.places
        values = tally.values[places]
        maps = self.windows.spread(values)
        grids = values.view(-1, *self.windows.grid)
        tensors = {"maps": maps, "drops": grids, "neurons": tally.neurons[places]}
        record.tensors("occlusion", tensors)
        items, figures = [], []
        for number, place in enumerate(places.tolist()):
            image = self.pictures.picture(place).at(self.network.size)
            neuron = int(tally.neurons[place])
            item = item_of(self.score, names[place], tally.logits[place], neuron)
            item.extra["largest_drop"] = round(float(values[number].max()), 6)
            item.extra["covered_row"], item.extra["covered_column"] = self._corner(values[number])
            item.file = record.picture(number, image, item.to_dict())
            items.append(item)
            if number < SHEETS:
                figures.append(
                    self._sheet(record, number, image, item, maps[number], tally.keys[place])
                )
        findings = {
            "pictures": len(items),
            "windows": len(self.windows),
            "mean_largest_drop": round(float(values.max(1).values.mean()), 4),
        }
        return Measurement(findings, items, figures)

    def _corner(self, values: Tensor) -> tuple[int, int]:
        """Row and column of the window under which the score drops most: its upper left pixel."""
        row, column = divmod(int(values.argmax()), self.windows.grid[1])
        return row * self.windows.stride[0], column * self.windows.stride[1]

    def _sheet(
        self, record: Record, number: int, image: Tensor, item: Item, shown: Tensor, key: Tensor
    ) -> Figure:
        drop = item.extra["largest_drop"]
        corner = (item.extra["covered_row"], item.extra["covered_column"])
        height, width = self.windows.window
        cover = fill(self.fill, image[None], self.network, key[None]).cpu()[0]
        covered = image.clone()
        area = (slice(None), slice(corner[0], corner[0] + height))
        area = (*area, slice(corner[1], corner[1] + width))
        covered[area] = cover[area]
        of_class = self.score.layer == OUTPUT
        probable = of_class and self.score.kind == "probability"
        left = percent(max(0.0, (item.confidence or 0.0) - drop)) if probable else ""
        parts = [
            (tile(image), f"{item.target}{percent(item.confidence)}"),
            (tile(covered), f"covered here:{left}" if probable else f"drop {drop:.3g}"),
            (tile(colours.tinted(image, shown, float(shown.abs().max()))), "drop where covered"),
        ]
        scale = f"the {self.score.kind} of " if of_class else ""
        caption = (
            f"{item.image}: {scale}{item.target} while a window of {height} x {width} pixels is "
            f"covered ({self.fill}). Red: it drops, at most by {drop:.3g}, where the second "
            "picture is covered; blue: it rises."
        )
        return self.save_sheet(record, number, parts, len(parts), caption)


def _pair(word: str, value: Pair, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a window or step; InputError where they do not fit the pictures."""
    sides = (value, value) if isinstance(value, int) else tuple(value)
    if len(sides) != 2 or not all(
        1 <= side <= most for side, most in zip(sides, size, strict=True)
    ):
        raise InputError(
            f"{word}={value if isinstance(value, int) else list(value)}: write pixels, or [height, "
            f"width], from 1 to the {size[0]} x {size[1]} of the pictures."
        )
    return sides
