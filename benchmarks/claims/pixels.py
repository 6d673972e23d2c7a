"""Numbers of images that claims compare: how alike neighbours are, and the size of patterns."""

from __future__ import annotations

import torch
from torch import Tensor


def neighbour_correlation(images: Tensor) -> Tensor:
    """Correlation of a pixel with the next, to the right and below: [n], of images [n, 3, h, w].

    About 0.9 of photographs, 0 of noise.
    """
    pairs = [(images[..., :-1], images[..., 1:]), (images[..., :-1, :], images[..., 1:, :])]
    return torch.stack([correlation(a, b) for a, b in pairs]).mean(0)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of the values of each pair of images: [n], of [n, 3, h, w]."""
    a, b = (each.flatten(1) - each.flatten(1).mean(1, keepdim=True) for each in (first, second))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=1e-12)


def pattern_size(images: Tensor) -> Tensor:
    """Pixels of a period at the mean frequency of the spectrum's power: [n], of [n, 3, h, w]."""
    height, width = images.shape[-2:]
    centred = images - images.mean((2, 3), keepdim=True)
    power = torch.fft.rfft2(centred).abs().square().sum(1)
    vertical = torch.fft.fftfreq(height)[:, None]
    horizontal = torch.fft.rfftfreq(width)[None]
    frequency = (vertical.square() + horizontal.square()).sqrt()
    share = power.sum((1, 2)).clamp(min=1e-12)
    return share / (power * frequency).sum((1, 2)).clamp(min=1e-12)
