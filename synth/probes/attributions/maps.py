"""Attributions of all pictures of a pass, and the items of a probe that explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core.network import OUTPUT
from synth.core.prediction import NO_CLASS, label, predictions
from synth.core.randomness import key_of
from synth.core.types import Images
from synth.data.collection import Batch
from synth.data.sheet import sized
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.score import Score
from synth.probes.probe import Tally
from synth.record.result import Item

SIDE = 448  # pixels of a picture in a sheet


class Maps(Tally):
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
        neurons: int64 [n].
        logits: float32 [n, classes].
        read: which pictures have been read, bool [n].
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
        self.score, self.methods, self.unit = score, methods, unit
        self.keys = torch.tensor([key_of("attribution", seed, name) for name in names])
        count, size = len(names), score.network.size
        self.maps = torch.zeros(len(methods), count, *size)
        self.values = torch.zeros(len(methods), min(colours, count), 3, *size)
        self.neurons = torch.zeros(count, dtype=torch.int64)
        self.logits = torch.zeros(count, len(score.network.classes))
        self.read = torch.zeros(count, dtype=torch.bool)

    @property
    def places(self) -> Tensor:
        """Of the pictures that have been read, int64."""
        return self.read.nonzero()[:, 0]

    # the pass is made in inference mode, which knows no gradients
    @torch.inference_mode(False)
    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        images = batch.images.to(self.score.network.device)
        neurons = neurons_of(self.score, images, activations[OUTPUT], self.unit)
        keys = self.keys[batch.places].to(images.device)
        coloured = batch.places < self.values.shape[1]
        for row, method in enumerate(self.methods.values()):
            values = method(self.score, images, neurons, keys)
            self.maps[row, batch.places] = method.maps(values).cpu()
            self.values[row, batch.places[coloured]] = values[coloured].cpu()
        self.neurons[batch.places] = neurons.cpu()
        self.logits[batch.places] = activations[OUTPUT].cpu()
        self.read[batch.places] = True

    def state(self) -> dict[str, Tensor]:
        return {
            "maps": self.maps,
            "values": self.values,
            "neurons": self.neurons,
            "logits": self.logits,
            "read": self.read,
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])


def neurons_of(score: Score, images: Images, logits: Tensor, unit: int | None) -> Tensor:
    """The neurons that are explained, int64 [n].

    Args:
        score: what is explained.
        images: [n, 3, h, w].
        logits: of them.
        unit: the class or channel; None for each picture's strongest.
    """
    if score.layer != OUTPUT:
        return score.neurons(images, unit)
    if unit is None:
        return logits.argmax(1)
    return torch.full((len(images),), unit, device=images.device)


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
