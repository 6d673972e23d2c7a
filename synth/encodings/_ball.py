"""Norm balls of perturbations, L-infinity or L2: projection and starting points."""

from __future__ import annotations

import math

import torch

from synth.core import Genome, Rows
from synth.core.randomness import coins
from synth.errors import InputError

NORMS = ("linf", "l2")
STARTS = ("zeros", "random", "signs", "stripes")


class Ball:
    """The perturbations [r, c, h, w] whose norm is at most `epsilon`.

    A saved image has 256 levels, so an L-infinity radius is rounded down to whole levels of 1/255:
    the saved image then lies in the ball too.

    Args:
        epsilon: radius, in pixel values of [0, 1]; finite and above 0.
        norm: ``linf``, the largest absolute value, or ``l2``, the Euclidean length.
        eight_bit: False leaves an L-infinity radius as it is, finer than 1/255 if need be.
        shared: how many channels of the image one value of the perturbation is added to; in the
            L2 norm each value counts as often.

    Raises:
        InputError: for an unknown norm, or a radius that is not above 0, larger than the range of
            pixels, or below one level.
    """

    def __init__(
        self, epsilon: float, norm: str = "linf", eight_bit: bool = True, shared: int = 1
    ) -> None:
        if norm not in NORMS:
            raise InputError(f"encoding.norm={norm}: write linf or l2.")
        if not (epsilon > 0 and math.isfinite(epsilon)):
            raise InputError(f"encoding.epsilon={epsilon}: write a radius above 0.")
        if norm == "linf":
            epsilon = _linf_radius(epsilon, eight_bit)
        self.epsilon = epsilon
        self.norm = norm
        self.shared = shared

    def project(self, genome: Genome) -> Genome:
        """The nearest perturbation in the ball: clipped value by value (linf), or scaled (l2)."""
        if self.norm == "linf":
            return genome.clamp(-self.epsilon, self.epsilon)
        lengths = genome.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * self.shared**0.5
        return genome * (self.epsilon / lengths.clamp_min(1e-12)).clamp_max(1.0)

    def start(self, kind: str, rows: Rows, shape: tuple[int, int, int]) -> Genome:
        """A starting perturbation for each row, [r, *shape].

        Args:
            kind: ``zeros``; ``random`` (uniform in the L-infinity ball; in the L2 ball a random
                direction and a uniform length: Madry et al. 2018); ``signs``, each value plus or
                minus `epsilon`; ``stripes``, one sign for each channel of each column
                (Andriushchenko et al. 2020). In the L2 norm the last two have length `epsilon`.
            rows: the rows, whose keys the random numbers come from.
            shape: channels, height and width of a perturbation.
        """
        if kind == "zeros":
            return torch.zeros(len(rows), *shape, device=rows.item.device)
        if kind == "random":
            return self._random(rows, shape)
        sign_shape = shape if kind == "signs" else (shape[0], 1, shape[2])
        signs = coins(rows.key, math.prod(sign_shape)).reshape(-1, *sign_shape)
        signs = signs.expand(-1, *shape) * 2.0 - 1.0
        if self.norm == "linf":
            return signs * self.epsilon
        return signs * (self.epsilon / (self.shared * math.prod(shape)) ** 0.5)

    def _random(self, rows: Rows, shape: tuple[int, int, int]) -> Genome:
        if self.norm == "linf":
            return self.epsilon * (2 * rows.uniform(*shape) - 1)
        direction = rows.normal(*shape)
        radius = self.epsilon / self.shared**0.5 * rows.fold_in(1).uniform(1, 1, 1)
        return direction * (radius / direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1))


def _linf_radius(epsilon: float, eight_bit: bool) -> float:
    """`epsilon` rounded down to whole levels of 1/255, if `eight_bit`."""
    if epsilon > 1:
        raise InputError(
            f"encoding.epsilon={epsilon}: pixels are in [0, 1]; "
            f"write {epsilon}/255 as {epsilon / 255:.4f}."
        )
    levels = math.floor(epsilon * 255 + 1e-3)
    if eight_bit and levels == 0:
        raise InputError(
            f"encoding.epsilon={epsilon}: below one of 256 levels; write 0.003922 or more."
        )
    return levels / 255 if eight_bit else epsilon
