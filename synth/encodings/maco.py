"""Magnitude-constrained optimisation (MACO): the magnitude spectrum is fixed, genomes are phases.

Genomes are [r, 3, h, w/2+1]. Source: Fel et al., "Unlocking Feature Visualization for Deeper
Networks with MAgnitude Constrained Optimization", NeurIPS 2023. Only phases change, so no search
can add the high-frequency energy that networks respond to and photographs lack.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Encoding, Genome, Images, Rows, randomness
from synth.data.sizes import Size, size_of
from synth.encodings.fourier import COLOUR, mix_colours
from synth.errors import InputError

# The mean amplitude of photographs at k cycles per image is sqrt(h w) * AMPLITUDE / k^FALLOFF
# (orthonormal transform, Hann window), their mean MEAN: of the logits of pixels within [.02, .98],
# for each colour channel of `COLOUR`. Measured on 467 ImageNet photographs at 224x224; the fit is
# off by 11 % at most. At 128x128, and on 1,500 of Tiny ImageNet at 64x64, amplitude and falloff are
# the same within 15 %; the mean of the first channel is not.
AMPLITUDE = (0.485, 0.521, 0.396)
FALLOFF = (1.23, 1.355, 1.22)
MEAN = (-0.406, 1.049, -0.440)
NEW = randomness.key_of("maco", "frequencies that a smaller picture lacks")


class Maco(Encoding):
    """Sigmoid of the colour-correlated inverse transform of magnitude * exp(i * phase).

    The fixed magnitude is that of the average photograph, as a power law (see the constants of this
    module) that holds at any size. The mean colour is that of photographs too. Phases start uniform
    in [-pi, pi), and any number is a phase. The attribute `magnitude` [3, h, w/2+1] is exactly the
    spectrum of every image before the sigmoid: where the half plane of a real transform holds a
    frequency twice, its two phases count as one. It defines no baseline: no phase means an empty
    image.

    Departures from the paper: it averages the spectra of all of ImageNet at one size and stretches
    each image to the full range; here the average is a law, and the sigmoid alone bounds the
    pixels.

    Args:
        size: height and width; those that the network reads where None.
        contrast: factor of the magnitudes, above 0; 1 is that of photographs.

    Raises:
        InputError: where `contrast` is not above 0.
    """

    def __init__(self, size: Size = None, contrast: float = 1.0) -> None:
        if contrast <= 0:
            raise InputError(
                f"encoding.contrast={contrast}: write a factor above 0; 1 is that of photographs."
            )
        self.size = size_of(size)
        self.contrast = contrast
        self.colour = COLOUR
        self.mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        self.magnitude = torch.ones(()) if self.size is None else _magnitude(self.size, contrast)

    def start(self, rows: Rows) -> Genome:
        assert self.size is not None
        height, width = self.size
        return (2 * rows.uniform(3, height, width // 2 + 1) - 1) * math.pi

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        spectrum = torch.polar(self.magnitude.expand_as(genome), self._phase(genome))
        flat = torch.fft.irfft2(spectrum, s=self.size, norm="ortho")
        return mix_colours(flat + self.mean, self.colour).sigmoid()

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every phase is an image

    def at(self, size: tuple[int, int]) -> Maco:
        return Maco(size, self.contrast).to(self.colour.device)

    def to(self, device: torch.device) -> Maco:
        other = Maco(self.size, self.contrast)
        other.colour = self.colour.to(device)
        other.magnitude = self.magnitude.to(device)
        other.mean = self.mean.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        """The phases of the low frequencies that both sizes have.

        The phases of all other frequencies are random, the same for every row.
        """
        assert isinstance(to, Maco)
        assert self.size is not None
        assert to.size is not None
        (h, w), (height, width) = self.size, to.size
        key = torch.tensor([NEW], device=genome.device)
        draws = randomness.uniform(key, 3 * height * (width // 2 + 1))
        draws = draws.view(1, 3, height, width // 2 + 1)
        phases = ((2 * draws - 1) * math.pi).repeat(len(genome), 1, 1, 1)
        # frequencies on either side of 0 that are the same waves in both sizes
        below = (min(h, height) - 1) // 2
        columns = (min(w, width) - 1) // 2 + 1
        old = self._phase(genome)
        phases[:, :, : below + 1, :columns] = old[:, :, : below + 1, :columns]
        if below:
            phases[:, :, -below:, :columns] = old[:, :, -below:, :columns]
        return phases

    def _phase(self, genome: Genome) -> Tensor:
        """The phases of a real image: opposite in the columns that hold both k and -k.

        A frequency that is its own opposite (the mean, the Nyquist frequencies) has phase 0.
        """
        assert self.size is not None
        last = [genome[..., -1:]] if self.size[1] % 2 == 0 else []
        first, *last = [
            (column - column.flip(2).roll(1, 2)) / 2 for column in (genome[..., :1], *last)
        ]
        return torch.cat([first, genome[..., 1 : genome.shape[-1] - len(last)], *last], dim=-1)


def _magnitude(size: tuple[int, int], contrast: float) -> Tensor:
    """The magnitudes of the law, [3, h, w/2+1]; 0 for the mean, which is added separately."""
    height, width = size
    side = math.sqrt(height * width)
    rows = torch.fft.fftfreq(height)[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    waves = (rows.square() + columns.square()).sqrt() * side
    amplitude = torch.tensor(AMPLITUDE).view(3, 1, 1)
    falloff = torch.tensor(FALLOFF).view(3, 1, 1)
    magnitude = contrast * side * amplitude / waves.clamp_min(0.5) ** falloff
    magnitude[:, 0, 0] = 0.0
    return magnitude
