"""Random moves of the whole picture: jitter, scale, rotate, each a matrix a row, resampled once together."""

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
    """A random affine move. Neighbouring moves of a chain are multiplied, so the picture is resampled once.

    What comes in from outside is the picture's own mirror image, never black: an optimiser exploits a border.
    """

    @abstractmethod
    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        """Matrices [r, 3, 3] from output to input positions, both in [-1, 1] with x first; `size` is (h, w)."""

    def __call__(self, images: Images, rows: Rows) -> Images:
        return resample(images, self.matrix(rows, (images.shape[2], images.shape[3])))


class Jitter(Affine):
    """A shift by whole pixels, up to `share` of the height and of the width, each row its own.

    A share and not a number of pixels, so that a recipe means the same at every size; lucid's 8 and 4 pixels
    are 6 and 3 % of its 128.
    """

    def __init__(self, share: float = 0.06) -> None:
        if not 0 <= share < 1:
            raise InputError(
                f"transform.jitter.share={share}: write a share of the side in [0, 1)."
            )
        self.share = share

    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        draws = rows.uniform(2)
        moved = torch.eye(3, device=draws.device).repeat(len(rows), 1, 1)
        for axis, side in ((0, size[1]), (1, size[0])):
            most = round(self.share * side)
            shift = (draws[:, axis] * (2 * most + 1)).floor() - most
            moved[:, axis, 2] = shift * 2 / side
        return moved


class Scale(Affine):
    """Magnification by a factor uniform between `least` and `most`."""

    def __init__(self, least: float = 0.9, most: float = 1.1) -> None:
        if not 0 < least <= most:
            raise InputError(
                f"transform.scale: least={least}, most={most}; write 0 < least <= most."
            )
        self.least, self.most = least, most

    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        factor = self.least + (self.most - self.least) * rows.uniform(1)[:, 0]
        return torch.diag_embed(
            torch.stack([1 / factor, 1 / factor, torch.ones_like(factor)], dim=1)
        )


class Rotate(Affine):
    """A turn by an angle uniform within plus and minus `degrees`."""

    def __init__(self, degrees: float = 10.0) -> None:
        self.degrees = degrees

    def matrix(self, rows: Rows, size: tuple[int, int]) -> Tensor:
        angle = (2 * rows.uniform(1)[:, 0] - 1) * (self.degrees * math.pi / 180)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        aspect = (
            size[0] / size[1]
        )  # a turn in pixels, written in positions that are stretched to [-1, 1]
        return torch.stack(
            [cos, -sin * aspect, zero, sin / aspect, cos, zero, zero, zero, zero + 1], dim=1
        ).view(-1, 3, 3)


def resample(images: Images, matrices: Tensor) -> Images:
    """`images` [n, 3, h, w] seen through `matrices` [n, 3, 3], bilinear, mirrored at the border."""
    grid = functional.affine_grid(matrices[:, :2], list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


class Chain(Transform):
    """Several transforms one after the other; those named null are left out, so one can be switched off."""

    def __init__(self, steps: Sequence[Transform | None] = ()) -> None:
        self.steps = [step for step in steps if step is not None]
        self.stochastic = any(step.stochastic for step in self.steps)

    def __call__(self, images: Images, rows: Rows) -> Images:
        move: Tensor | None = None
        for place, step in enumerate(self.steps):
            own = rows.fold_in(place)
            if isinstance(step, Affine):
                matrix = step.matrix(own, (images.shape[2], images.shape[3]))
                move = matrix if move is None else move @ matrix
                continue
            if move is not None:
                images, move = resample(images, move), None
            images = step(images, own)
        return images if move is None else resample(images, move)


def chain(**steps: Transform | None) -> Chain:
    """A `Chain` from named steps, so that one can be changed or switched off by its name."""
    return Chain(list(steps.values()))
