"""A random map: the floor that an attribution has to beat."""

from __future__ import annotations

from torch import Tensor

from synth.core.randomness import uniform
from synth.core.types import Images
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.score import Score


class RandomMap(Attribution):
    """Uniform noise, which knows neither the picture nor the network."""

    takes_gradient = False

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        count, _, height, width = images.shape
        return uniform(keys, height * width).view(count, 1, height, width)
