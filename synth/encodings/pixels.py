"""The direct encoding: the genome is the image itself, [r, 3, h, w]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Encoding, Genome, Images, Rows
from synth.data import IMAGENET_MEAN
from synth.data.sizes import Size, size_of
from synth.errors import InputError, nearest

STARTS = ("noise", "zeros", "mean", "uniform")


class Pixels(Encoding):
    """Images as they are, RGB in [0, 1]; projection clips to that box.

    Args:
        size: height and width in pixels (one number, or two); those that the network reads where
            None.
        start: ``noise`` (Gaussian around the mean colour), ``zeros`` (black), ``mean`` (the mean
            colour alone) or ``uniform`` (every value equally likely in [0, 1]).
        noise: standard deviation of the start ``noise``, at least 0.
        mean: the mean colour; that of ImageNet by default. It is also the baseline towards which
            decay and clipping pull: the zero of a mean-subtracted image, which is what the
            literature means by zero.

    Raises:
        InputError: for an unknown start, a negative `noise` or an impossible size.
    """

    def __init__(
        self,
        size: Size = None,
        start: str = "noise",
        noise: float = 0.15,
        mean: Sequence[float] = IMAGENET_MEAN,
    ) -> None:
        if start not in STARTS:
            hint = (
                nearest(start, STARTS)
                or f" Write one of {', '.join(STARTS)}; for a picture, image=PATH."
            )
            raise InputError(f"encoding.start={start}: no such start.{hint}")
        if noise < 0:
            raise InputError(f"encoding.noise={noise}: a standard deviation is at least 0.")
        self.size = size_of(size)
        self.kind = start
        self.noise = noise
        self.mean = torch.tensor(mean).view(1, 3, 1, 1)

    def start(self, rows: Rows) -> Genome:
        assert self.size is not None
        height, width = self.size
        if self.kind == "noise":
            return (self.mean + self.noise * rows.normal(3, height, width)).clamp_(0, 1)
        if self.kind == "uniform":
            return rows.uniform(3, height, width)
        colour = self.mean if self.kind == "mean" else torch.zeros_like(self.mean)
        return colour.expand(len(rows), 3, height, width).clone()

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return genome

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Pixels:
        return self._like(size, self.mean)

    def to(self, device: torch.device) -> Pixels:
        return self._like(self.size, self.mean.to(device))

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert to.size is not None
        return functional.interpolate(genome, to.size, mode="bicubic", antialias=True).clamp_(0, 1)

    def baseline(self, rows: Rows) -> Genome:
        return self.mean

    def _like(self, size: tuple[int, int] | None, mean: Tensor) -> Pixels:
        other = Pixels(size, self.kind, self.noise)
        other.mean = mean
        return other
