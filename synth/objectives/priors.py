"""Image priors: L2 norm, alpha norm and total variation, read from the image before the network.

Scores are higher where they are better, so these are minus the norms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from synth.core import BoundObjective, Images, Objective, Readout
from synth.core.network import Network
from synth.data import IMAGENET_MEAN
from synth.errors import InputError


class L2(Objective):
    """Minus the squared L2 norm of the image about the mean colour, -sum (x - mean)^2.

    Source: Simonyan et al. 2014. Their images have the mean subtracted; ours lie in [0, 1].

    Args:
        mean: the colour that counts as zero, RGB in [0, 1].
        weight: factor of this term in a weighted sum.
    """

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, weight: float = 1.0) -> None:
        self.mean = tuple(mean)
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundL2(_colour(self.mean, network))


class _BoundL2(BoundObjective):
    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"l2": _L2.apply(readout.images, self.mean)}


class TotalVariation(Objective):
    """Minus the total variation, -sum (|d/dx|^2 + |d/dy|^2)^(beta/2) over pixels and channels.

    Forward differences, none beyond the last row and column. A small constant under the root keeps
    the gradient finite where the image is flat.

    Source: Mahendran & Vedaldi 2015, equation 6; Rudin, Osher & Fatemi 1992 for `beta` 1.

    Args:
        beta: 2 for the sum of squared differences, 1 for the isotropic total variation.
        per_pixel: divide the sum by h w, so that a weight means the same at any size.
        weight: factor of this term in a weighted sum.
    """

    def __init__(self, beta: float = 2.0, per_pixel: bool = False, weight: float = 1.0) -> None:
        self.beta = beta
        self.per_pixel = per_pixel
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundVariation(self.beta, self.per_pixel)


class _BoundVariation(BoundObjective):
    def __init__(self, beta: float, per_pixel: bool) -> None:
        self.beta = beta
        self.per_pixel = per_pixel

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        images = readout.images
        if self.beta == 2:
            score = _SquaredVariation.apply(images)
        else:
            right = torch.nn.functional.pad(images.diff(dim=3), (0, 1))
            down = torch.nn.functional.pad(images.diff(dim=2), (0, 0, 0, 1))
            squares = right.square() + down.square() + 1e-8
            score = -squares.pow(self.beta / 2).sum((1, 2, 3))[:, None]
        return {"total_variation": score / _pixels(images) if self.per_pixel else score}


class AlphaNorm(Objective):
    """Minus the alpha norm of the image about the mean colour, -sum |x - mean|^alpha.

    With the `alpha` of 6 of the source, values far from the middle of the range cost nearly all,
    the others next to nothing. Its images have the mean subtracted; ours lie in [0, 1].

    Source: Mahendran & Vedaldi 2015, equation 5.

    Args:
        alpha: the exponent, 1 or more.
        mean: the colour that counts as zero, RGB in [0, 1].
        per_pixel: divide the sum by h w, so that a weight means the same at any size.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an `alpha` below 1.
    """

    def __init__(
        self,
        alpha: float = 6.0,
        mean: Sequence[float] = IMAGENET_MEAN,
        per_pixel: bool = False,
        weight: float = 1.0,
    ) -> None:
        if alpha < 1:
            raise InputError(
                f"objective alpha={alpha}: below 1 it is no norm; Mahendran & Vedaldi write 6."
            )
        self.alpha = alpha
        self.mean = tuple(mean)
        self.per_pixel = per_pixel
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundAlpha(self.alpha, _colour(self.mean, network), self.per_pixel)


class _BoundAlpha(BoundObjective):
    def __init__(self, alpha: float, mean: Tensor, per_pixel: bool) -> None:
        self.alpha = alpha
        self.mean = mean
        self.per_pixel = per_pixel

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        images = readout.images
        score = -(images - self.mean).abs().pow(self.alpha).sum((1, 2, 3))[:, None]
        return {"alpha_norm": score / _pixels(images) if self.per_pixel else score}


def _colour(values: Sequence[float], network: Network) -> Tensor:
    """A colour as a tensor on the network's device, [1, 3, 1, 1]."""
    return torch.tensor(values, device=network.device).view(1, 3, 1, 1)


def _pixels(images: Images) -> int:
    return images.shape[2] * images.shape[3]


class _L2(torch.autograd.Function):
    """-sum (x - mean)^2, with its gradient -2 (x - mean) in closed form, written in one pass."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, mean: Tensor) -> Tensor:
        difference = images - mean
        ctx.save_for_backward(difference)
        return -difference.flatten(1).norm(dim=1).square()[:, None]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (difference,) = ctx.saved_tensors
        return difference * (-2.0 * cotangent)[:, :, None, None], None


class _SquaredVariation(torch.autograd.Function):
    """Minus the sum of squared forward differences.

    Its gradient is twice the discrete Laplacian, which the forward pass sums up on the way.
    Neighbours lie 1 and a row's width apart in memory, so that each operation is one pass over all
    pixels, in which the differences across the end of a row or an image are set to 0.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        values = images.contiguous()
        difference, laplacian = torch.empty_like(values), None
        energy = torch.zeros(len(values), device=values.device, dtype=values.dtype)
        for axis, step in ((2, values.shape[3]), (3, 1)):
            flat, pixels = difference.view(-1), values.view(-1)
            torch.sub(pixels[step:], pixels[:-step], out=flat[:-step])
            difference.select(axis, -1).zero_()
            energy += difference.flatten(1).norm(dim=1).square()
            if ctx.needs_input_grad[0]:
                laplacian = difference.clone() if laplacian is None else laplacian.add_(difference)
                laplacian.view(-1)[step:].sub_(flat[:-step])
        ctx.save_for_backward(laplacian)
        return -energy[:, None]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Tensor:  # type: ignore[override]
        (laplacian,) = ctx.saved_tensors
        return laplacian * (2.0 * cotangent)[:, :, None, None]
