"""What an attribution explains: one number of the network an image, and its gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core.classes import Name
from synth.core.network import OUTPUT, Network
from synth.core.types import Images
from synth.errors import InputError
from synth.probes.attributions.guided import guide

KINDS = ("logit", "probability")
MEMORY = 2 << 30  # bytes of activations in a pass
# images in a pass; more are no faster, on a CPU they are slower: their maps leave its caches
MOST_CPU, MOST_GPU = 16, 256


@dataclass(frozen=True)
class Score:
    """A class's score, or the activation of a neuron.

    A neuron is an index into a layer's flattened activation: of the output it is a class, of a
    convolution a channel at a place.

    Args:
        network: the network.
        layer: whose neurons are explained; the output by default.
        kind: of the output ``logit``, the score before the softmax, or ``probability`` after it.

    Raises:
        InputError: no such layer or kind.
    """

    network: Network
    layer: str = OUTPUT
    kind: str = "logit"

    def __post_init__(self) -> None:
        self.network.layer(self.layer)
        if self.kind not in KINDS:
            raise InputError(f"score={self.kind}: write {' or '.join(KINDS)}.")

    @property
    def rows(self) -> int:
        """Images in a pass."""
        most = MOST_GPU if self.network.device.type == "cuda" else MOST_CPU
        return max(1, min(most, int(MEMORY / self.network.bytes_per_image(self.network.size))))

    def unit(self, target: Name | None = None, unit: int | None = None) -> int | None:
        """The class or channel that a user names; None for the strongest.

        Args:
            target: a class, where the layer is the output.
            unit: a channel, where it is another.

        Raises:
            InputError: no such class or channel, or the word of the other kind of layer.
        """
        shape = self.network.layers[self.layer]
        if self.layer == OUTPUT:
            if unit is not None:
                raise InputError(f"unit={unit}: write layer= too, or target= for a class.")
            if target is None:
                return None
            return self.network.classes.index(target, self.network.name)
        if target is not None:
            raise InputError(f"target={target}: write unit= for a channel of layer={self.layer}.")
        if unit is not None and not 0 <= unit < shape[0]:
            raise InputError(f"unit={unit}: {self.layer} has units 0 to {shape[0] - 1}.")
        return unit

    def neurons(self, images: Images, unit: int | None = None) -> Tensor:
        """The strongest neuron of each image, int64 [n]: of the output, the predicted class.

        Args:
            images: [n, 3, h, w].
            unit: the channel, at whose strongest place the neuron is; by default the strongest.
        """
        with torch.inference_mode():
            activation = self.network.read(images, [self.layer])[self.layer]
        # outside of inference mode: autograd may use what comes of it
        if unit is None:
            return activation.flatten(1).argmax(1)
        places = activation.flatten(1).unflatten(1, (activation.shape[1], -1))
        return places[:, unit].argmax(1) + unit * places.shape[2]

    def name(self, neuron: int) -> str:
        """What a neuron is called: ``goldfish``, ``conv4:17``."""
        if self.layer == OUTPUT:
            return self.network.classes.label(neuron)
        places = math.prod(self.network.layers[self.layer][1:])
        return f"{self.layer}:{neuron // places}"

    def of(self, activation: Tensor, neurons: Tensor) -> Tensor:
        """The scores [n] of neurons int64 [n], from the layer's activation [n, ...]."""
        values = activation.flatten(1)
        if self.kind == "probability" and self.layer == OUTPUT:
            values = values.softmax(1)
        return values.gather(1, neurons[:, None])[:, 0]

    def __call__(self, images: Images, neurons: Tensor) -> Tensor:
        """The scores [n] of `neurons` for images [n, 3, h, w]."""
        return self.of(self.network.read(images, [self.layer])[self.layer], neurons)

    @torch.inference_mode(False)
    def gradient(self, images: Images, neurons: Tensor, guided: bool = False) -> Tensor:
        """The gradient [n, 3, h, w] of the scores with respect to the pixels.

        Args:
            images: [n, 3, h, w], RGB in [0, 1].
            neurons: int64 [n].
            guided: whether positive gradients alone pass each activation function.
        """
        gradients = []
        for part, own in zip(images.split(self.rows), neurons.split(self.rows), strict=True):
            leaf = part.detach().clone().requires_grad_()
            scores = self(leaf, own)
            if guided:
                guide(scores)
            gradients.append(torch.autograd.grad(scores.sum(), leaf)[0])
        return gradients[0] if len(gradients) == 1 else torch.cat(gradients)
