"""What pictures are like before any network looks: small, smooth. Scores, so less is better and they are negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout
from synth.data import IMAGENET_MEAN
from synth.errors import InputError


class L2(Objective):
    """Minus the squared L2 norm of the picture about the mean colour, -sum (x - mean)^2 (Simonyan et al. 2014).

    Their pictures have the mean subtracted; ours lie in [0, 1], so `mean` says where zero is.
    """

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, weight: float = 1.0) -> None:
        self.mean, self.weight = tuple(mean), weight

    def bind(self, network: Any) -> BoundObjective:
        return _BoundL2(torch.tensor(self.mean, device=network.device).view(1, 3, 1, 1))


class _BoundL2(BoundObjective):
    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"l2": _L2.apply(readout.images, self.mean)}


class TotalVariation(Objective):
    """Minus the total variation, -sum (|d/dx|^2 + |d/dy|^2)^(beta/2) over pixels and channels.

    Forward differences, none beyond the last row and column. Mahendran & Vedaldi 2015, equation 6; `beta` 2 is
    the sum of squared differences, 1 the isotropic total variation of Rudin, Osher & Fatemi 1992 (a small
    constant under the root keeps its gradient finite where the picture is flat). With `per_pixel` the sum is divided
    by h w, so that a weight means the same at any size.
    """

    def __init__(self, beta: float = 2.0, per_pixel: bool = False, weight: float = 1.0) -> None:
        self.beta, self.per_pixel, self.weight = beta, per_pixel, weight

    def bind(self, network: Any) -> BoundObjective:
        return _BoundVariation(self.beta, self.per_pixel)


class _BoundVariation(BoundObjective):
    def __init__(self, beta: float, per_pixel: bool) -> None:
        self.beta, self.per_pixel = beta, per_pixel

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        images = readout.images
        if self.beta == 2:
            found = _SquaredVariation.apply(images)
        else:
            right = torch.nn.functional.pad(images.diff(dim=3), (0, 1))
            down = torch.nn.functional.pad(images.diff(dim=2), (0, 0, 0, 1))
            squares = right.square() + down.square() + 1e-8
            found = -squares.pow(self.beta / 2).sum((1, 2, 3))[:, None]
        return {"total_variation": found / _pixels(images) if self.per_pixel else found}


class AlphaNorm(Objective):
    """Minus the alpha norm of the picture about the mean colour, -sum |x - mean|^alpha (Mahendran & Vedaldi 2015).

    Equation 5, with their `alpha` 6: values far from the middle of the range cost nearly all, and the others nothing.
    Their pictures have the mean subtracted; ours lie in [0, 1], so `mean` says where zero is. `per_pixel` divides
    the sum by h w, so that a weight means the same at any size.
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
        self.alpha, self.mean, self.per_pixel, self.weight = alpha, tuple(mean), per_pixel, weight

    def bind(self, network: Any) -> BoundObjective:
        return _BoundAlpha(
            self.alpha,
            torch.tensor(self.mean, device=network.device).view(1, 3, 1, 1),
            self.per_pixel,
        )


class _BoundAlpha(BoundObjective):
    def __init__(self, alpha: float, mean: Tensor, per_pixel: bool) -> None:
        self.alpha, self.mean, self.per_pixel = alpha, mean, per_pixel

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        found = -(readout.images - self.mean).abs().pow(self.alpha).sum((1, 2, 3))[:, None]
        return {"alpha_norm": found / _pixels(readout.images) if self.per_pixel else found}


def _pixels(images: Tensor) -> int:
    return images.shape[2] * images.shape[3]


class _L2(torch.autograd.Function):
    """-sum (x - mean)^2 with its gradient in closed form, -2 (x - mean), which one fused pass writes."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, mean: Tensor) -> Tensor:
        ctx.save_for_backward(images, mean)
        away = (images - mean).flatten(1)
        return -torch.linalg.vecdot(away, away)[:, None]

    @staticmethod
    def backward(ctx: Any, pulled: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        images, mean = ctx.saved_tensors
        factor = (-2.0 * pulled)[:, :, None, None]
        return torch.addcmul(-mean * factor, images, factor), None


class _SquaredVariation(torch.autograd.Function):
    """-sum of squared forward differences d; its gradient, twice the discrete Laplacian, is summed up on the way."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        laplacian = torch.zeros_like(images) if ctx.needs_input_grad[0] else None
        energy = torch.zeros(len(images), device=images.device, dtype=images.dtype)
        for axis in (2, 3):
            differences = images.diff(dim=axis)
            flat = differences.flatten(1)
            energy += torch.linalg.vecdot(flat, flat)
            if laplacian is not None:
                inner = differences.shape[axis]
                laplacian.narrow(axis, 0, inner).add_(differences)
                laplacian.narrow(axis, 1, inner).sub_(differences)
        ctx.save_for_backward(laplacian)
        return -energy[:, None]

    @staticmethod
    def backward(ctx: Any, pulled: Tensor) -> Tensor:  # type: ignore[override]
        (laplacian,) = ctx.saved_tensors
        return laplacian * (2.0 * pulled)[:, :, None, None]
