"""Attributions of all pictures of a pass, and the items of a probe that explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core.network import OUTPUT
from synth.core.prediction import NO_CLASS, label, predictions
from synth.core.types import Images
from synth.data.sheet import sized
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.explained import Explained
from synth.probes.attributions.score import Score
from synth.record.result import Item

SIDE = 448  # pixels of a picture in a sheet


class Maps(Explained):
    """Maps of several methods.

    Args:
        score: what is explained.
        methods: by name.
        names: of all pictures; the random numbers of a picture belong to its name.
        unit: the class or channel that is explained; None for each picture's strongest.
        seed: of random numbers.
        colours: of how many pictures, from the first on, the channels are kept apart too.

    Attributes:
        maps: float32 [methods, n, h, w], on the CPU, as all that follows.
        values: float32 [methods, at most `colours`, 3, h, w].
    """

    def __init__(
        self,
        score: Score,
        methods: Mapping[str, Attribution],
        names: Sequence[str],
        unit: int | None = None,
        seed: int = 0,
        colours: int = 0,
    ) -> None:
        super().__init__(score, names, unit, seed, "attribution")
        self.methods = methods
        count, size = len(names), score.network.size
        self.maps = torch.zeros(len(methods), count, *size)
        self.values = torch.zeros(len(methods), min(colours, count), 3, *size)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {"maps": self.maps, "values": self.values}

    def explain(self, places: Tensor, images: Images, neurons: Tensor, keys: Tensor) -> None:
        coloured = places < self.values.shape[1]
        for row, method in enumerate(self.methods.values()):
            values = method(self.score, images, neurons, keys)
            self.maps[row, places] = method.maps(values).cpu()
            self.values[row, places[coloured]] = values[coloured].cpu()


def item_of(score: Score, name: str, logits: Tensor, neuron: int) -> Item:
    """The item of a picture.

    Args:
        score: what is explained.
        name: of the picture's file.
        logits: for it, [classes].
        neuron: whose score is explained.
    """
    best = int(predictions(logits))
    probabilities = logits.softmax(0)
    item = Item(image=name, target=score.name(neuron), predicted=label(score.network.classes, best))
    if best != NO_CLASS:
        item.predicted_index = best
        item.predicted_confidence = round(float(probabilities[best]), 6)
    if score.layer == OUTPUT:
        item.target_index = neuron
        if best != NO_CLASS:
            item.confidence = round(float(probabilities[neuron]), 6)
    return item


def percent(confidence: float | None) -> str:
    """A probability behind a class's name in a sheet."""
    return "" if confidence is None else f" {100 * confidence:.0f} %"


def tile(image: Tensor, side: int = SIDE) -> Image.Image:
    """An image at the size of a sheet's pictures, in pixels."""
    return sized(data.to_image(image), side, side)
