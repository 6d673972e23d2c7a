"""Takes a picture and another whose colours it is to have; gives it in those colours, all else as it was."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Images

FLOOR = 1e-5  # variance of a colour below which there is none: a grey picture has no saturation to be stretched
LUMINANCE = (0.299, 0.587, 0.114)  # of YIQ


def in_colours_of(images: Images, other: Images) -> Images:
    """`images` [n, 3, h, w] with the mean and the covariance of the colours of `other` [1, 3, h', w'], cut to [0, 1].

    x' = A (x - mean_x) + mean_o with A = S_o^(1/2) S_x^(-1/2), S the covariances of R, G and B over the pixels, and
    their symmetric roots: Gatys et al. 2016, "Preserving color in neural artistic style transfer", image analogies.
    """
    mean, covariance = _moments(images)
    wanted, spread = _moments(other)
    matrix = _power(spread, 0.5) @ _power(covariance, -0.5)
    moved = matrix @ (images.flatten(2) - mean) + wanted
    return moved.view_as(images).clamp(0, 1)


def in_luminance_of(images: Images, other: Images) -> Images:
    """`images` [n, 3, h, w] in grey, with the mean and deviation of the luminance of `other`, cut to [0, 1].

    Source: the same, luminance-only transfer.
    """
    grey, wanted = luminance(images), luminance(other)
    away = (grey - grey.mean((2, 3), keepdim=True)) / grey.flatten(1).std(1).clamp_min(
        FLOOR**0.5
    ).view(-1, 1, 1, 1)
    moved = away * wanted.flatten(1).std(1).view(-1, 1, 1, 1) + wanted.mean((2, 3), keepdim=True)
    return moved.clamp(0, 1).expand(-1, 3, -1, -1)


def luminance(images: Images) -> Tensor:
    """How bright each pixel is, [n, 1, h, w]."""
    weights = torch.tensor(LUMINANCE, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _moments(images: Images) -> tuple[Tensor, Tensor]:
    """Mean [n, 3, 1] and covariance [n, 3, 3] of the colours."""
    flat = images.flatten(2)
    mean = flat.mean(2, keepdim=True)
    return mean, (flat - mean) @ (flat - mean).mT / flat.shape[2]


def _power(covariance: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp_min(FLOOR).pow(exponent)[:, None] @ vectors.mT
