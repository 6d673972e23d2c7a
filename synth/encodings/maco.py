"""Pictures that have the spectrum of photographs by construction: the genome is their phase, [r, 3, h, w/2+1].

Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization",
NeurIPS 2023. Only the phase moves, so no search can pile up the high frequencies that networks fall for.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synth.core import Encoding, Genome, Images, Rows, randomness
from synth.data.sizes import Size, size_of
from synth.encodings.fourier import COLOUR, coloured
from synth.errors import InputError

# The mean amplitude of photographs at k cycles a picture is sqrt(h w) * AMPLITUDE / k^FALLOFF (orthonormal
# transform, Hann window), their mean MEAN: of the logits of pixels within [.02, .98], a colour channel of `COLOUR`
# each. Measured on 467 ImageNet photographs at 224x224; the fit is off by 11 % at most. At 128x128, and on 1,500
# of Tiny ImageNet at 64x64, amplitude and falloff are the same within 15 %; the mean of the first channel is not.
AMPLITUDE = (0.485, 0.521, 0.396)
FALLOFF = (1.23, 1.355, 1.22)
MEAN = (-0.406, 1.049, -0.440)
NEW = randomness.key_of("maco", "frequencies that a smaller picture lacks")


class Maco(Encoding):
    """Sigmoid of the colour-correlated inverse transform of magnitude * exp(i * phase), the magnitude fixed.

    The magnitude is that of the average photograph, as a law (see above) that holds at any size; `contrast`
    multiplies it. The mean colour is that of photographs too. Phases start uniform, and any number is a phase.
    `magnitude` [3, h, w/2+1] is what the spectrum of every picture has before the sigmoid, exactly: where the half
    plane of a real transform holds a frequency twice, its two phases count as one.

    Departures from the paper: it averages the spectra of all of ImageNet at one size and stretches each picture to
    the full range; here the average is a law, and the sigmoid alone bounds the pixels.
    """

    def __init__(self, size: Size = None, contrast: float = 1.0) -> None:
        if contrast <= 0:
            raise InputError(
                f"encoding.contrast={contrast}: write a factor above 0; 1 is that of photographs."
            )
        self.size, self.contrast, self.colour = size_of(size), contrast, COLOUR
        self.mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        self.magnitude = torch.ones(()) if self.size is None else _magnitude(self.size, contrast)

    def start(self, rows: Rows) -> Genome:
        assert self.size is not None
        height, width = self.size
        return (2 * rows.uniform(3, height, width // 2 + 1) - 1) * math.pi

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        flat = torch.fft.irfft2(torch.polar(self.magnitude.expand_as(genome), self._phase(genome)), s=self.size,
                                norm="ortho")  # fmt: skip
        return coloured(flat + self.mean, self.colour).sigmoid()

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every phase is a picture

    def at(self, size: tuple[int, int]) -> Maco:
        return Maco(size, self.contrast).to(self.colour.device)

    def to(self, device: torch.device) -> Maco:
        other = Maco(self.size, self.contrast)
        other.colour, other.magnitude, other.mean = (
            part.to(device) for part in (self.colour, self.magnitude, self.mean)
        )
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        """The phases of the low frequencies that both sizes have; the others are drawn, the same for every row."""
        assert isinstance(to, Maco)
        assert self.size is not None
        assert to.size is not None
        (h, w), (height, width) = self.size, to.size
        key = torch.tensor([NEW], device=genome.device)
        drawn = randomness.uniform(key, 3 * height * (width // 2 + 1)).view(
            1, 3, height, width // 2 + 1
        )
        carried = ((2 * drawn - 1) * math.pi).repeat(len(genome), 1, 1, 1)
        below = (
            min(h, height) - 1
        ) // 2  # frequencies on either side of 0 that are the same waves in both
        columns = (min(w, width) - 1) // 2 + 1
        phase = self._phase(genome)
        carried[:, :, : below + 1, :columns] = phase[:, :, : below + 1, :columns]
        if below:
            carried[:, :, -below:, :columns] = phase[:, :, -below:, :columns]
        return carried

    def _phase(self, genome: Genome) -> Tensor:
        """The phases of a real picture: in the columns that hold k and -k both, the two are opposite.

        Of a frequency that is its own opposite the phase is then 0: the mean and the fastest waves do not turn.
        """
        assert self.size is not None
        last = [genome[..., -1:]] if self.size[1] % 2 == 0 else []
        first, *last = [
            (column - column.flip(2).roll(1, 2)) / 2 for column in (genome[..., :1], *last)
        ]
        return torch.cat([first, genome[..., 1 : genome.shape[-1] - len(last)], *last], dim=-1)


def _magnitude(size: tuple[int, int], contrast: float) -> Tensor:
    """[3, h, w/2+1]; 0 for the mean, which is added apart."""
    height, width = size
    side = math.sqrt(height * width)
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    waves = (rows.square() + columns.square()).sqrt() * side
    amplitude, falloff = (torch.tensor(numbers).view(3, 1, 1) for numbers in (AMPLITUDE, FALLOFF))
    magnitude = contrast * side * amplitude / waves.clamp_min(0.5) ** falloff
    magnitude[:, 0, 0] = 0.0
    return magnitude
