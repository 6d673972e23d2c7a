"""Pictures of few, smooth waves: the genome is their amplitudes, low frequencies of a cosine transform, [r, 3, k, k].

A search without gradients pays for every number of a genome; 3 * k * k of them hold what is large in a picture.
The waves are those of the discrete cosine transform II (Ahmed, Natarajan & Rao 1974), as JPEG has them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Encoding, Genome, Images, Rows
from synth.data import IMAGENET_MEAN
from synth.data.sizes import Size, size_of
from synth.encodings.fourier import COLOUR
from synth.errors import InputError


class Dct(Encoding):
    """Sigmoid of the mean colour's logit plus a sum of cosine waves, `frequencies` each way.

    A wave of frequency f (half turns a side, both ways together) has the amplitude `contrast` / max(1, f)^`falloff`,
    divided so that a standard normal genome gives logits of deviation `contrast`: photographs have a falloff
    of 1 (Field 1987), and one step then moves every wave by what it is worth. `sd` is the deviation of the first
    genome. `decorrelated` makes the three channels those in which colours of photographs vary independently, as
    `Fourier` does. A sigmoid and not a clamp, because behind a clamp a search no longer feels what it changes.

    The waves are functions of the place in the picture, so a genome is the same picture at every size; those too
    fine for a small one are left out.
    """

    scalable = True

    def __init__(
        self,
        size: Size = None,
        frequencies: int = 16,
        sd: float = 1.0,
        contrast: float = 1.0,
        falloff: float = 1.0,
        decorrelated: bool = True,
    ) -> None:
        if not 1 <= frequencies <= 512:
            raise InputError(
                f"encoding.frequencies={frequencies}: write 1 to 512; a genome has 3 times their square."
            )
        if sd < 0:
            raise InputError(f"encoding.sd={sd}: a standard deviation is at least 0.")
        if contrast <= 0:
            raise InputError(
                f"encoding.contrast={contrast}: write a deviation of logits above 0; 1 is usual."
            )
        self.size, self.frequencies, self.sd = size_of(size), frequencies, sd
        self.contrast, self.falloff, self.decorrelated = contrast, falloff, decorrelated
        # rows of unit length on average: the colours are mixed, their contrast stays
        self.colour = (
            COLOUR / COLOUR.square().sum(1).mean().sqrt() if decorrelated else torch.eye(3)
        )
        self.mean = torch.tensor(IMAGENET_MEAN).logit().view(1, 3, 1, 1)
        each = torch.arange(frequencies, dtype=torch.float64)
        amplitudes = (each[:, None].square() + each.square()).sqrt().clamp_min(1.0) ** -falloff
        self.amplitudes = (amplitudes * contrast / amplitudes.norm()).float()
        height, width = self.size or (frequencies, frequencies)
        self.down, self.across = _waves(frequencies, height), _waves(frequencies, width)

    def start(self, rows: Rows) -> Genome:
        return self.sd * rows.normal(3, self.frequencies, self.frequencies)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        mixed = torch.einsum("dc,nchw->ndhw", self.colour, genome * self.amplitudes)
        return (self.down.T @ (mixed @ self.across) + self.mean).sigmoid()

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every sum of waves is a picture

    def at(self, size: tuple[int, int]) -> Dct:
        return self._like(size).to(self.colour.device)

    def to(self, device: torch.device) -> Dct:
        other = self._like(self.size)
        for name in ("colour", "mean", "amplitudes", "down", "across"):
            setattr(other, name, getattr(other, name).to(device))
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, device=self.colour.device)

    def _like(self, size: tuple[int, int] | None) -> Dct:
        return Dct(size, self.frequencies, self.sd, self.contrast, self.falloff, self.decorrelated)


def _waves(frequencies: int, length: int) -> Tensor:
    """Cosines at the middles of `length` pixels, [frequencies, length], each of mean square 1.

    The orthonormal transform times the square root of `length`; zeros where `length` pixels cannot hold the wave.
    """
    frequency = torch.arange(frequencies, dtype=torch.float64)[:, None]
    place = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    waves = (math.pi * frequency * place).cos() * 2**0.5
    waves[0] = 1.0
    return (waves * (frequency < length)).float()
