"""Low frequencies of a discrete cosine transform: the genome is their amplitudes, [r, 3, k, k].

The cost of a search without gradients grows with the length of the genome; 3 * k * k amplitudes
hold the coarse structure of an image. The waves are those of the DCT-II (Ahmed, Natarajan & Rao
1974), as in JPEG.
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
    """Sigmoid of the logit of the mean colour plus a sum of cosine waves.

    A wave of frequency f (half periods per side, the norm over both directions) has the amplitude
    `contrast` / max(1, f)^`falloff`, normalised so that a standard normal genome gives logits of
    standard deviation `contrast`: photographs have a falloff of 1 (Field 1987), and a step of equal
    size then moves every wave in proportion to its amplitude. A sigmoid and not a clamp, because
    beyond a clamp changes of the genome have no effect on the score.

    The waves are functions of the position in the image, so a genome is the same image at every
    size; those too fine for a small one are left out. Zero, the baseline, is the mean colour.

    Args:
        size: height and width; those that the network reads where None.
        frequencies: waves in each direction, k above, from 1 to 512.
        sd: standard deviation of the first genome, at least 0.
        contrast: standard deviation of the logits of pixels, above 0.
        falloff: the power of the frequency with which amplitudes fall.
        decorrelated: whether the three channels are those in which the colours of photographs vary
            independently, as in `Fourier`; else they are red, green and blue.

    Raises:
        InputError: for numbers outside these ranges.
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
                f"encoding.frequencies={frequencies}: write 1 to 512; "
                "a genome has 3 times their square."
            )
        if sd < 0:
            raise InputError(f"encoding.sd={sd}: a standard deviation is at least 0.")
        if contrast <= 0:
            raise InputError(
                f"encoding.contrast={contrast}: write a deviation of logits above 0; 1 is usual."
            )
        self.size = size_of(size)
        self.frequencies = frequencies
        self.sd = sd
        self.contrast = contrast
        self.falloff = falloff
        self.decorrelated = decorrelated
        # rows of root mean square length 1: the colours are mixed, their contrast is unchanged
        self.colour = torch.eye(3)
        if decorrelated:
            self.colour = COLOUR / COLOUR.square().sum(1).mean().sqrt()
        self.mean = torch.tensor(IMAGENET_MEAN).logit().view(1, 3, 1, 1)
        each = torch.arange(frequencies, dtype=torch.float64)
        amplitudes = (each[:, None].square() + each.square()).sqrt().clamp_min(1.0) ** -falloff
        self.amplitudes = (amplitudes * contrast / amplitudes.norm()).float()
        height, width = self.size or (frequencies, frequencies)
        self.down = _waves(frequencies, height)
        self.across = _waves(frequencies, width)

    def start(self, rows: Rows) -> Genome:
        return self.sd * rows.normal(3, self.frequencies, self.frequencies)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        mixed = torch.einsum("dc,nchw->ndhw", self.colour, genome * self.amplitudes)
        return (self.down.T @ (mixed @ self.across) + self.mean).sigmoid()

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every sum of waves is an image

    def at(self, size: tuple[int, int]) -> Dct:
        return self._like(size).to(self.colour.device)

    def to(self, device: torch.device) -> Dct:
        other = self._like(self.size)
        other.colour = other.colour.to(device)
        other.mean = other.mean.to(device)
        other.amplitudes = other.amplitudes.to(device)
        other.down = other.down.to(device)
        other.across = other.across.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, device=self.colour.device)

    def _like(self, size: tuple[int, int] | None) -> Dct:
        return Dct(size, self.frequencies, self.sd, self.contrast, self.falloff, self.decorrelated)


def _waves(frequencies: int, length: int) -> Tensor:
    """Cosines at the centres of `length` pixels, [frequencies, length], each of mean square 1.

    The orthonormal transform times sqrt(`length`); zeros for frequencies too high for `length`
    pixels.
    """
    frequency = torch.arange(frequencies, dtype=torch.float64)[:, None]
    place = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    waves = (math.pi * frequency * place).cos() * 2**0.5
    waves[0] = 1.0
    return (waves * (frequency < length)).float()
