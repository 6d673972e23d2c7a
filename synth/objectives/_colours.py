"""Colour transfer: an image in the colours, or in the luminance statistics, of another image.

Source: Gatys et al. 2016, "Preserving color in neural artistic style transfer".
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Images

FLOOR = 1e-5  # least variance of a colour: a grey picture has no saturation that could be scaled
LUMINANCE = (0.299, 0.587, 0.114)  # of YIQ


def in_colours_of(images: Images, other: Images) -> Images:
    """`images` with the mean and the covariance of the colours of `other`, clipped to [0, 1].

    x' = A (x - mean_x) + mean_o with A = S_o^(1/2) S_x^(-1/2), where S are the covariances of R, G
    and B over the pixels and the roots are symmetric: section 3 of the source, "image analogies"
    (the other choice there is a Cholesky factor).

    Args:
        images: RGB in [0, 1], [n, 3, h, w].
        other: the image whose colours are transferred, [1, 3, h', w'].
    """
    mean, covariance = _moments(images)
    other_mean, other_covariance = _moments(other)
    matrix = _power(other_covariance, 0.5) @ _power(covariance, -0.5)
    transferred = matrix @ (images.flatten(2) - mean) + other_mean
    return transferred.view_as(images).clamp(0, 1)


def in_luminance_of(images: Images, other: Images) -> Images:
    """`images` in grey with the luminance mean and deviation of `other`, clipped to [0, 1].

    This is the luminance-only transfer of the same source.

    Args:
        images: RGB in [0, 1], [n, 3, h, w].
        other: the image whose luminance statistics are transferred, [1, 3, h', w'].
    """
    grey = luminance(images)
    other_grey = luminance(other)
    deviation = grey.flatten(1).std(1).clamp_min(FLOOR**0.5).view(-1, 1, 1, 1)
    standardised = (grey - grey.mean((2, 3), keepdim=True)) / deviation
    other_deviation = other_grey.flatten(1).std(1).view(-1, 1, 1, 1)
    transferred = standardised * other_deviation + other_grey.mean((2, 3), keepdim=True)
    return transferred.clamp(0, 1).expand(-1, 3, -1, -1)


def luminance(images: Images) -> Tensor:
    """The luminance of each pixel, [n, 1, h, w]."""
    weights = torch.tensor(LUMINANCE, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _moments(images: Images) -> tuple[Tensor, Tensor]:
    """Mean [n, 3, 1] and covariance [n, 3, 3] of the colours."""
    flat = images.flatten(2)
    mean = flat.mean(2, keepdim=True)
    return mean, (flat - mean) @ (flat - mean).mT / flat.shape[2]


def _power(covariance: Tensor, exponent: float) -> Tensor:
    """The symmetric matrix power, with eigenvalues of at least `FLOOR`."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp_min(FLOOR).pow(exponent)[:, None] @ vectors.mT
