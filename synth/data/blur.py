"""Gaussian blur of images and of image-shaped genomes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


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
