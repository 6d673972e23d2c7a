"""Attributions from the gradient of the score with respect to the pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from synth.core.randomness import fold_in, normal
from synth.core.types import Images
from synth.errors import InputError
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.fills import fill
from synth.probes.attributions.score import Score


class Vanilla(Attribution):
    """The gradient; its map is the maximum over channels of the magnitude.

    Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks".
    """

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        return score.gradient(images, neurons)


class GuidedBackprop(Attribution):
    """The gradient of which positive values alone pass each activation function.

    Source: Springenberg et al. 2015, "Striving for simplicity: the all convolutional net".
    """

    view = "colour"

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        return score.gradient(images, neurons, guided=True)


class GradientTimesInput(Attribution):
    """The gradient times the pixel: to first order, what the score loses if the pixel is black.

    Source: Shrikumar et al. 2016, "Not just a black box".
    """

    signed = True
    view = "signed"

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        return score.gradient(images, neurons) * images


class SmoothGrad(Attribution):
    """The mean gradient of noisy copies of the image.

    Source: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".

    Args:
        samples: copies of an image.
        noise: standard deviation, as a share of the range of the image's pixels.
    """

    def __init__(self, samples: int = 25, noise: float = 0.15) -> None:
        if samples < 1 or noise < 0:
            raise InputError(
                f"samples={samples}, noise={noise}: write samples >= 1 and noise >= 0."
            )
        self.samples = samples
        self.noise = noise

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        totals = []
        parts = (tensor.split(score.rows) for tensor in (images, neurons, keys))
        for part, own, streams in zip(*parts, strict=True):
            deviation = self.noise * (part.amax((1, 2, 3)) - part.amin((1, 2, 3)))
            total = torch.zeros_like(part)
            for sample in range(self.samples):
                noisy = normal(fold_in(streams, sample), part[0].numel()).view_as(part)
                noisy.mul_(deviation[:, None, None, None]).add_(part)
                total += score.gradient(noisy, own)
            totals.append(total.div_(self.samples))
        return torch.cat(totals)


class IntegratedGradients(Attribution):
    """The gradient along the line from a baseline to the image, integrated, times their difference.

    Its sum over all pixels is the score of the image less that of the baseline. The integral is
    by Gauss-Legendre quadrature. The gradient of ReLUs and max pooling jumps, so that the rounding
    of float32 alone changes deep networks' maps by some thousandths of their largest value.

    Source: Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks".

    Args:
        steps: points on the line.
        baseline: a word of `fills`.
    """

    signed = True
    view = "signed"

    def __init__(self, steps: int = 50, baseline: str = "black") -> None:
        if steps < 1:
            raise InputError(f"integration_steps={steps}: write 1 or more.")
        self.steps = steps
        self.baseline = baseline

    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        baseline = fill(self.baseline, images, score.network, keys)
        difference = images - baseline
        points, weights = np.polynomial.legendre.leggauss(self.steps)
        total = torch.zeros_like(images)
        for point, weight in zip(points, weights, strict=True):
            along = torch.add(baseline, difference, alpha=(1 + point) / 2)
            total.add_(score.gradient(along, neurons), alpha=weight / 2)
        return total.mul_(difference)
