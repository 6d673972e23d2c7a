"""The Fourier encoding with decorrelated colours: the genome is a spectrum, [r, 3, h, w/2+1, 2].

The last axis holds the real and imaginary parts of the real Fourier transform. Gradient steps of
equal size then move all frequencies alike, instead of high frequencies first, and the three colour
channels as they vary together in photographs. Source: Olah, Mordvintsev & Schubert, "Feature
Visualization", Distill 2017; lucid's ``param/spatial.py`` and ``param/color.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Encoding, Genome, Images, Rows
from synth.data.sizes import Size, size_of
from synth.errors import InputError

# square root of the covariance of colours in ImageNet, from lucid, over its largest column norm
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


class Fourier(Encoding):
    """Sigmoid of a colour-correlated inverse transform of spectrum / max(f, 1/max(h, w)), over 4.

    f is the frequency in cycles per pixel. Departure from lucid: the transform is orthonormal, so
    that `sd` means the same at every size. Zero, the baseline, is mid grey.

    Args:
        size: height and width; those that the network reads where None.
        sd: standard deviation of the first spectrum, above 0.
        decorrelated: False leaves out the colour matrix; channels are then red, green and blue.

    Raises:
        InputError: where `sd` is not above 0.
    """

    def __init__(self, size: Size = None, sd: float = 0.01, decorrelated: bool = True) -> None:
        if sd <= 0:
            raise InputError(
                f"encoding.sd={sd}: a standard deviation above 0 is needed; 0.01 is usual."
            )
        self.size = size_of(size)
        self.sd = sd
        self.decorrelated = decorrelated
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
            flat = mix_colours(flat, self.colour)
        return flat.sigmoid()

    def genome_of(self, images: Images) -> Genome:
        """The genome that decodes to `images` [r, 3, h, w], their values clamped to [.02, .98]."""
        flat = images.clamp(0.02, 0.98).logit() * 4
        if self.decorrelated:
            flat = mix_colours(flat, torch.linalg.inv(self.colour))
        return torch.view_as_real(torch.fft.rfft2(flat, norm="ortho") / self.scale)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every spectrum is an image

    def at(self, size: tuple[int, int]) -> Fourier:
        return Fourier(size, self.sd, self.decorrelated).to(self.colour.device)

    def to(self, device: torch.device) -> Fourier:
        other = Fourier(self.size, self.sd, self.decorrelated)
        other.colour = self.colour.to(device)
        other.scale = self.scale.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        """The low frequencies that both sizes have, rescaled so that the contrast is unchanged."""
        assert isinstance(to, Fourier)
        assert self.size is not None
        assert to.size is not None
        spectrum = torch.fft.fftshift(torch.view_as_complex(genome) * self.scale, dim=2)
        (h, w), (height, width) = self.size, to.size
        top = height // 2 - h // 2
        columns = width // 2 + 1 - (w // 2 + 1)
        if width > w and w % 2 == 0:
            # its last column stands for both w/2 and -w/2, which are two columns in the larger size
            spectrum[..., -1] = spectrum[..., -1] / 2
        spectrum = functional.pad(
            torch.view_as_real(spectrum), (0, 0, 0, columns, top, height - h - top)
        )
        spectrum = torch.fft.ifftshift(torch.view_as_complex(spectrum.contiguous()), dim=2)
        gain = (height * width / (h * w)) ** 0.5  # of the orthonormal transform
        return torch.view_as_real(spectrum * gain / to.scale).contiguous()

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, 1, device=self.colour.device)


def mix_colours(images: Tensor, matrix: Tensor) -> Tensor:
    """`images` [n, 3, h, w] with each pixel's colour multiplied by `matrix` [3, 3].

    The same by einsum takes eight times as long.
    """
    return (matrix @ images.flatten(2)).view_as(images)


def _scale(size: tuple[int, int]) -> Tensor:
    """1 / frequency, in cycles per pixel, of each entry of the spectrum, [h, w/2+1]."""
    height, width = size
    rows = torch.fft.fftfreq(height)[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    return 1.0 / (rows.square() + columns.square()).sqrt().clamp_min(1.0 / max(height, width))
