"""The base class of attribution methods."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from synth.core import Part
from synth.core.types import Images
from synth.probes.attributions.score import Score


class Attribution(Part, ABC):
    """Gives each pixel its share in a score.

    Attributes:
        signed: whether values below zero speak against the score, and the map of an image is the
            sum over its channels; else the map is the maximum over channels of the magnitude.
        view: how it is shown: ``grey``, ``signed`` (red for, blue against), ``colour`` (the values
            of the channels themselves) or ``overlay`` on the picture.
        takes_gradient: whether it reads gradients of the network.
    """

    signed: bool = False
    view: str = "grey"
    takes_gradient: bool = True

    @abstractmethod
    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        """The attribution of each pixel, float32 [n, 3, h, w], or [n, 1, h, w] of all channels.

        Args:
            score: what is explained.
            images: [n, 3, h, w], RGB in [0, 1], on the network's device.
            neurons: whose score is explained, int64 [n].
            keys: of the random numbers of each image, int64 [n].
        """

    def maps(self, values: Tensor) -> Tensor:
        """One value a pixel, [n, h, w], of an attribution [n, c, h, w]."""
        return values.sum(1) if self.signed else values.abs().amax(1)
