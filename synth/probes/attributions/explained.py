"""The base class of tallies that explain a class or neuron for each picture of a pass."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth.core.network import OUTPUT
from synth.core.randomness import key_of
from synth.core.types import Images
from synth.data.collection import Batch
from synth.probes.attributions.score import Score
from synth.probes.probe import Tally


class Explained(Tally):
    """What is explained of each picture, beside what a subclass keeps in `values`.

    Args:
        score: what is explained.
        names: of all pictures; the random numbers of a picture belong to its name.
        unit: the class or channel that is explained; None for each picture's strongest.
        seed: of random numbers.
        purpose: of them, which tells their streams apart.

    Attributes:
        keys: random keys of the pictures, int64 [n], on the CPU, as all that follows.
        neurons: whose score is explained, int64 [n].
        logits: float32 [n, classes].
        read: which pictures have been read, bool [n].
    """

    def __init__(
        self, score: Score, names: Sequence[str], unit: int | None, seed: int, purpose: str
    ) -> None:
        self.score, self.unit = score, unit
        self.keys = torch.tensor([key_of(purpose, seed, name) for name in names])
        self.neurons = torch.zeros(len(names), dtype=torch.int64)
        self.logits = torch.zeros(len(names), len(score.network.classes))
        self.read = torch.zeros(len(names), dtype=torch.bool)

    @property
    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What the subclass keeps, by name; changed in place."""

    @abstractmethod
    def explain(self, places: Tensor, images: Images, neurons: Tensor, keys: Tensor) -> None:
        """Explains some pictures, outside of inference mode.

        Args:
            places: in the collection, int64 [b], on the CPU.
            images: [b, 3, h, w], on the network's device, as all that follows.
            neurons: whose score is explained, int64 [b].
            keys: random keys, int64 [b].
        """

    @property
    def places(self) -> Tensor:
        """Of the pictures that have been read, int64."""
        return self.read.nonzero()[:, 0]

    # the pass is made in inference mode, which knows no gradients
    @torch.inference_mode(False)
    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        images = batch.images.to(self.score.network.device)
        neurons = neurons_of(self.score, images, activations[OUTPUT], self.unit)
        self.explain(batch.places, images, neurons, self.keys[batch.places].to(images.device))
        self.neurons[batch.places] = neurons.cpu()
        self.logits[batch.places] = activations[OUTPUT].cpu()
        self.read[batch.places] = True

    def state(self) -> dict[str, Tensor]:
        own = {"neurons": self.neurons, "logits": self.logits, "read": self.read}
        return {**self.tensors, **own}

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
