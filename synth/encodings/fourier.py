"""Pictures as a spectrum with decorrelated colours: the genome is the real Fourier transform, [r, 3, h, w/2+1, 2].

Gradient steps of equal size then move all frequencies alike, instead of the high ones first, and the three
colour channels as they vary together in photographs. Source: Olah, Mordvintsev & Schubert, "Feature
Visualization", Distill 2017; lucid's ``param/spatial.py`` and ``param/color.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Encoding, Genome, Images, Rows
from synth.data.sizes import Size, size_of
from synth.errors import InputError

# square root of the covariance of colours over ImageNet, from lucid, divided by its largest column norm
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


class Fourier(Encoding):
    """Sigmoid of a colour-correlated inverse transform of `spectrum / max(f, 1/max(h, w))`, divided by 4.

    `sd` is the deviation of the first spectrum; `decorrelated` switches the colour matrix off. Departure from
    lucid: the transform is orthonormal, so that `sd` means the same at every size.
    """

    def __init__(self, size: Size = None, sd: float = 0.01, decorrelated: bool = True) -> None:
        if sd <= 0:
            raise InputError(
                f"encoding.sd={sd}: a standard deviation above 0 is needed; 0.01 is usual."
            )
        self.size, self.sd, self.decorrelated = size_of(size), sd, decorrelated
        self.colour = COLOUR
        self.scale = torch.ones(()) if self.size is None else _scale(self.size)

    def start(self, rows: Rows) -> Genome:
        assert self.size is not None
        height, width = self.size
        return self.sd * rows.normal(3, height, width // 2 + 1, 2)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        spectrum = torch.view_as_complex(genome) * self.scale
        flat = torch.fft.irfft2(spectrum, s=self.size, norm="ortho") / 4
        if self.decorrelated:
            flat = coloured(flat, self.colour)
        return flat.sigmoid()

    def genome_of(self, images: Images) -> Genome:
        """The genome that `images` [r, 3, h, w] of this size are decoded from, their values kept in [.02, .98]."""
        flat = images.clamp(0.02, 0.98).logit() * 4
        if self.decorrelated:
            flat = coloured(flat, torch.linalg.inv(self.colour))
        return torch.view_as_real(torch.fft.rfft2(flat, norm="ortho") / self.scale)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every spectrum is a picture

    def at(self, size: tuple[int, int]) -> Fourier:
        return Fourier(size, self.sd, self.decorrelated).to(self.colour.device)

    def to(self, device: torch.device) -> Fourier:
        other = Fourier(self.size, self.sd, self.decorrelated)
        other.colour, other.scale = self.colour.to(device), self.scale.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        """The low frequencies that both sizes have, rescaled so that the picture keeps its contrast."""
        assert isinstance(to, Fourier)
        assert self.size is not None
        assert to.size is not None
        spectrum = torch.fft.fftshift(torch.view_as_complex(genome) * self.scale, dim=2)
        (h, w), (height, width) = self.size, to.size
        top, columns = height // 2 - h // 2, width // 2 + 1 - (w // 2 + 1)
        if (
            width > w and w % 2 == 0
        ):  # its last column stood for two frequencies, w/2 and -w/2; from now on for one
            spectrum[..., -1] = spectrum[..., -1] / 2
        spectrum = functional.pad(
            torch.view_as_real(spectrum), (0, 0, 0, columns, top, height - h - top)
        )
        spectrum = torch.fft.ifftshift(torch.view_as_complex(spectrum.contiguous()), dim=2)
        gain = (height * width / (h * w)) ** 0.5  # of the orthonormal transform
        return torch.view_as_real(spectrum * gain / to.scale).contiguous()

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, 1, device=self.colour.device)


def coloured(images: Tensor, matrix: Tensor) -> Tensor:
    """`images` [n, 3, h, w] with the colour of each pixel times `matrix` [3, 3]; einsum takes eight times as long."""
    return (matrix @ images.flatten(2)).view_as(images)


def _scale(size: tuple[int, int]) -> Tensor:
    height, width = size
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    return 1.0 / (rows.square() + columns.square()).sqrt().clamp_min(1.0 / max(height, width))
