"""Random affine transforms (jitter, scaling, rotation), and the chain that resamples them once."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Images, Rows, Transform
from synth.errors import InputError


class Affine(Transform):
    """A random affine transform; neighbours in a `Chain` are multiplied and resampled once.

    Beyond the border the image is mirrored, never black: an optimiser exploits a dark border.
    """

    @abstractmethod
    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        """Matrices [r, 3, 3] from output to input positions, one per row.

        Args:
            rows: the rows, whose keys the random numbers come from.
            size: height and width; positions are in [-1, 1] along each, x first.
        """

    def __call__(self, images: Images, rows: Rows) -> Images:
        return resample(images, self.matrix(rows, (images.shape[2], images.shape[3])))


class Jitter(Affine):
    """A random shift by whole pixels, uniform and different for each row.

    Args:
        share: the largest shift, as a share of the height and of the width, in [0, 1). A share
            rather than pixels, so that a recipe means the same at every size; lucid's 8 and 4
            pixels are 6 and 3 % of its 128.

    Raises:
        InputError: for a share outside [0, 1).
    """

    def __init__(self, share: float = 0.06) -> None:
        if not 0 <= share < 1:
            raise InputError(
                f"transform.jitter.share={share}: write a share of the side in [0, 1)."
            )
        self.share = share

    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        draws = rows.uniform(2)
        matrices = torch.eye(3, device=draws.device).repeat(len(rows), 1, 1)
        for axis, side in ((0, size[1]), (1, size[0])):
            most = round(self.share * side)
            shift = (draws[:, axis] * (2 * most + 1)).floor() - most
            matrices[:, axis, 2] = shift * 2 / side
        return matrices


class Scale(Affine):
    """Magnification by a random factor, uniform between `least` and `most`.

    Args:
        least: the smallest factor, above 0.
        most: the largest factor, at least `least`.

    Raises:
        InputError: where not 0 < least <= most.
    """

    def __init__(self, least: float = 0.9, most: float = 1.1) -> None:
        if not 0 < least <= most:
            raise InputError(
                f"transform.scale: least={least}, most={most}; write 0 < least <= most."
            )
        self.least = least
        self.most = most

    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        factor = self.least + (self.most - self.least) * rows.uniform(1)[:, 0]
        return torch.diag_embed(
            torch.stack([1 / factor, 1 / factor, torch.ones_like(factor)], dim=1)
        )


class Rotate(Affine):
    """Rotation about the centre by a random angle.

    Args:
        degrees: the angle is uniform between minus and plus so many degrees.
    """

    def __init__(self, degrees: float = 10.0) -> None:
        self.degrees = degrees

    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        angle = (2 * rows.uniform(1)[:, 0] - 1) * (self.degrees * math.pi / 180)
        cos = angle.cos()
        sin = angle.sin()
        zero = torch.zeros_like(angle)
        # a rotation in pixels, written in positions that are stretched to [-1, 1] along each side
        aspect = size[0] / size[1]
        entries = [cos, -sin * aspect, zero, sin / aspect, cos, zero, zero, zero, zero + 1]
        return torch.stack(entries, dim=1).view(-1, 3, 3)


def resample(images: Images, matrices: Tensor) -> Images:
    """`images` [n, 3, h, w] at positions transformed by `matrices` [n, 3, 3].

    Bilinear; the image is mirrored beyond its border.
    """
    grid = functional.affine_grid(matrices[:, :2], list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


class Chain(Transform):
    """Several transforms in sequence; runs of affine ones are multiplied and resampled once.

    Args:
        steps: the transforms in their order; a None is left out.
    """

    def __init__(self, steps: Sequence[Transform | None] = ()) -> None:
        self.steps = [step for step in steps if step is not None]
        self.stochastic = any(step.stochastic for step in self.steps)

    def __call__(self, images: Images, rows: Rows) -> Images:
        product: Tensor | None = None
        for place, step in enumerate(self.steps):
            own = rows.fold_in(place)
            if isinstance(step, Affine):
                matrix = step.matrix(own, (images.shape[2], images.shape[3]))
                product = matrix if product is None else product @ matrix
                continue
            if product is not None:
                images = resample(images, product)
                product = None
            images = step(images, own)
        return images if product is None else resample(images, product)


def chain(**steps: Transform | None) -> Chain:
    """A `Chain` of named steps; a configuration can change one, or leave it out by null."""
    return Chain(list(steps.values()))
