"""Takes a radius and a norm; gives the ball of small changes: where one may start in it, and the way back into it."""

from __future__ import annotations

import math

import torch

from synth.core import Genome, Rows
from synth.core.randomness import coins
from synth.errors import InputError

NORMS = ("linf", "l2")
STARTS = ("zeros", "random", "signs", "stripes")


class Ball:
    """Changes [r, c, h, w] of at most `epsilon` in the norm `norm`: ``linf``, the largest value, or ``l2``, the length.

    A saved picture has 256 levels, so an L-infinity radius is rounded down to whole levels: what is saved then lies in
    the ball too. `eight_bit` False leaves the radius as it is. A number that stands for `shared` channels of a picture
    counts so often in the length.
    """

    def __init__(
        self, epsilon: float, norm: str = "linf", eight_bit: bool = True, shared: int = 1
    ) -> None:
        if norm not in NORMS:
            raise InputError(f"encoding.norm={norm}: write linf or l2.")
        if not (epsilon > 0 and math.isfinite(epsilon)):
            raise InputError(f"encoding.epsilon={epsilon}: write a radius above 0.")
        if norm == "linf":
            if epsilon > 1:
                raise InputError(
                    f"encoding.epsilon={epsilon}: pixels are in [0, 1]; write {epsilon}/255 as {epsilon / 255:.4f}."
                )
            levels = math.floor(epsilon * 255 + 1e-3)
            if eight_bit and levels == 0:
                raise InputError(
                    f"encoding.epsilon={epsilon}: below one of 256 levels; write 0.003922 or more."
                )
            epsilon = levels / 255 if eight_bit else epsilon
        self.epsilon, self.norm, self.shared = epsilon, norm, shared

    def project(self, genome: Genome) -> Genome:
        """The nearest change in the ball: cut value by value, or shortened."""
        if self.norm == "linf":
            return genome.clamp(-self.epsilon, self.epsilon)
        lengths = genome.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * self.shared**0.5
        return genome * (self.epsilon / lengths.clamp_min(1e-12)).clamp_max(1.0)

    def start(self, kind: str, rows: Rows, shape: tuple[int, int, int]) -> Genome:
        """A change of `kind` for each row, [r, *shape].

        ``zeros``; ``random`` (uniform in the L-infinity ball, on the sphere's direction with random radius in the L2
        ball: Madry et al. 2018); ``signs``, each value + or - `epsilon`; ``stripes``, one sign for each channel of each
        column (Andriushchenko et al. 2020). In the L2 norm the last two have the length `epsilon`.
        """
        if kind == "zeros":
            return torch.zeros(len(rows), *shape, device=rows.item.device)
        if kind == "random":
            if self.norm == "linf":
                return self.epsilon * (2 * rows.uniform(*shape) - 1)
            direction, radius = (
                rows.normal(*shape),
                self.epsilon / self.shared**0.5 * rows.fold_in(1).uniform(1, 1, 1),
            )
            return direction * (radius / direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        drawn = shape if kind == "signs" else (shape[0], 1, shape[2])
        signs = coins(rows.key, math.prod(drawn)).reshape(-1, *drawn).expand(-1, *shape) * 2.0 - 1.0
        return signs * (
            self.epsilon
            if self.norm == "linf"
            else self.epsilon / (self.shared * math.prod(shape)) ** 0.5
        )
