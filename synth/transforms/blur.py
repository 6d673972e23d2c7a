"""Gaussian blur, of images before the network reads them and of image-shaped genomes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Images, Rows, Transform
from synth.errors import InputError


class Blur(Transform):
    """A Gaussian blur, the same for every row, so that high frequencies cannot raise the score.

    Args:
        sigma: standard deviation in pixels, above 0.

    Raises:
        InputError: where `sigma` is not above 0.
    """

    stochastic = False

    def __init__(self, sigma: float = 0.5) -> None:
        if sigma <= 0:
            raise InputError(f"transform.blur.sigma={sigma}: write a radius above 0 pixels.")
        self.sigma = sigma

    def __call__(self, images: Images, rows: Rows) -> Images:
        return gaussian_blur(images, self.sigma)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """`images` [n, c, h, w] convolved with a separable Gaussian.

    The kernel is cut off at 3 `sigma` pixels and normalised; images are mirrored at the border.
    """
    reach = max(1, math.ceil(3 * sigma))
    reach = min(reach, min(images.shape[-2:]) - 1)
    places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-0.5 * (places / sigma) ** 2)
    weights = (weights / weights.sum()).repeat(images.shape[1], 1)
    images = functional.pad(images, (reach,) * 4, mode="reflect")
    images = functional.conv2d(images, weights[:, None, :, None], groups=images.shape[1])
    return functional.conv2d(images, weights[:, None, None, :], groups=images.shape[1])
