"""A picture and what is added to it: the genome is the difference, [r, 3, h, w], kept in a ball around nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.data.sizes import Size, in_shape, size_of
from synth.encodings._ball import STARTS, Ball
from synth.errors import InputError

EDGE = 1e-6  # how far rounding may take a legal picture out of the box


class Perturbation(Encoding):
    """Pictures plus a perturbation of at most `epsilon` in the norm `norm` (``linf`` or ``l2``).

    A saved picture has 256 levels, so an L-infinity radius is rounded down to whole levels: what is saved then lies
    in the ball too. In the L2 norm rounding can add to the length; the record's ``l2`` is that of the saved picture.

    `image` is one picture, `images` several (an item each); pixels are in [0, 1], so 8/255 is 0.0314. With
    `epsilon` None only the box [0, 1] binds. `start` is ``zeros``; ``random`` (uniform in the L-infinity
    ball, on the sphere's direction with random radius in the L2 ball: Madry et al. 2018); ``signs``, a corner of the
    L-infinity ball, each channel of each pixel + or - `epsilon`; or ``stripes``, the same with one sign for each
    channel of each column (the start of the square attack: Andriushchenko et al. 2020). In the L2 norm the last two
    have the length `epsilon`.

    `longest` in place of `size` keeps the shape of the one `image`: its longer side has so many pixels. `eight_bit`
    False allows perturbations finer than the 256 levels of a file, for studies of the network and not of pictures.
    `grey` changes luminance alone: the genome is [r, 1, h, w], added to all three channels, so that the colour
    differences of the original (I and Q of YIQ) stay. With `levels` only whole levels of 256 are legal: a search that
    looks at nothing else finds what holds in a file (a length in the L2 norm may grow by the rounding).
    """

    def __init__(
        self,
        image: str | None = None,
        images: str | Sequence[str] | None = None,
        epsilon: float | None = None,
        norm: str = "linf",
        start: str = "zeros",
        size: Size = None,
        longest: int | None = None,
        eight_bit: bool = True,
        grey: bool = False,
        levels: bool = False,
    ) -> None:
        # without a radius only the box binds; the starts that have a length take 1
        self.ball = Ball(1.0 if epsilon is None else epsilon, norm, eight_bit, 3 if grey else 1)
        if start not in STARTS:
            raise InputError(
                f"encoding.start={start}: a perturbation starts from {', '.join(STARTS)}."
            )
        if image is not None and images is not None:
            raise InputError(
                f"image={image}: images= names what is changed already; write image=null, or leave out images=."
            )
        if image is None and images is None:
            raise InputError(
                "image: a perturbation needs a picture; write image=PATH, or images=FOLDER for several."
            )
        if levels and not eight_bit:
            raise InputError(
                "encoding.levels=true, encoding.eight_bit=false: whole levels are rounded; leave one out."
            )
        if image is not None:
            self.pictures = [data.picture(image)]
        else:
            assert images is not None
            self.pictures = data.pictures(images)
        self.names = [picture.name for picture in self.pictures]
        self.epsilon, self.norm = None if epsilon is None else self.ball.epsilon, norm
        self.kind, self.eight_bit, self.grey, self.levels = start, eight_bit, grey, levels
        self.size = size_of(size) if longest is None else self._shaped(longest, size)
        self._place(torch.device("cpu"))

    def start(self, rows: Rows) -> Genome:
        shape = (1 if self.grey else 3, *self.originals.shape[2:])
        return self.project(self.ball.start(self.kind, rows, shape), rows)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return _Boxed.apply(self._of(rows) + genome)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        if self.epsilon is not None:
            genome = self.ball.project(genome)
        if self.levels:  # after the ball: what was shortened is no whole number; the originals' are, so the pictures'
            genome = (genome * 255).round() / 255
        if self.grey:
            return genome.clamp(
                -1, 1
            )  # three channels share it; where one leaves the box, the picture is cut there
        # the picture lies in the box, so going into the box shrinks every coordinate: the ball still holds
        original = self._of(rows)
        return (original + genome).clamp(0, 1) - original

    def at(self, size: tuple[int, int]) -> Perturbation:
        other = self._copy()
        other.size = size
        other._place(self.originals.device)
        return other

    def around(self, picture: data.Picture) -> Perturbation:
        """The same around another picture, at the same size."""
        other = self._copy()
        other.pictures, other.names = [picture], [picture.name]
        other._place(self.originals.device)
        return other

    def to(self, device: torch.device) -> Perturbation:
        other = self._copy()
        other.originals = self.originals.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert to.size is not None
        return torch.nn.functional.interpolate(genome, to.size, mode="bicubic", antialias=True)

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, device=self.originals.device)

    def originals(self, rows: Rows) -> Images:
        return self._of(rows).expand(len(rows), -1, -1, -1)

    def _of(self, rows: Rows) -> Tensor:
        return self.originals if len(self.originals) == 1 else self.originals[rows.item]

    def _shaped(self, longest: int, size: Size) -> tuple[int, int] | None:
        if size is not None or len(self.pictures) > 1:
            raise InputError(
                f"encoding.longest={longest}: it is for one picture, and in place of encoding.size; write "
                "encoding.longest=null, and encoding.size=[HEIGHT,WIDTH] for several."
            )
        return in_shape(*self.pictures[0].image.size, longest)

    def _place(self, device: torch.device) -> None:
        self.originals = torch.zeros(1, 3, 1, 1, device=device)
        if self.size is not None:
            self.originals = torch.stack([picture.at(self.size) for picture in self.pictures]).to(
                device
            )

    def _copy(self) -> Perturbation:
        other = object.__new__(Perturbation)
        other.__dict__.update(self.__dict__)
        return other


class _Boxed(torch.autograd.Function):
    """Pictures cut to [0, 1], with a gradient at 0 and 1 too, where `clamp` has none: what is white may grow darker."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward((images >= -EDGE) & (images <= 1 + EDGE))
        return images.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * ctx.saved_tensors[0]
