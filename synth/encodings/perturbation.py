"""Adversarial perturbations: the genome is the difference from a clean image, [r, 3, h, w]."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.data.sizes import Size, in_shape, size_of
from synth.encodings._ball import STARTS, Ball
from synth.errors import InputError

EDGE = 1e-6  # how far rounding may move a legal image out of [0, 1]
ROUNDING = 1e-4  # of a level, by which floats may miss a whole one


class Perturbation(Encoding):
    """Clean images plus a perturbation of at most `epsilon` in the norm `norm`, inside [0, 1].

    A saved image has 256 levels, so an L-infinity radius is rounded down to whole levels: the saved
    image then lies in the ball too. In the L2 norm rounding can add to the length; the ``l2`` of a
    result is that of the saved image. Zero, the baseline, is the clean image.

    Args:
        image: the one clean image of all items, by path or bundled name.
        images: several clean images, an item each: a folder, a glob or a list.
        epsilon: radius of the ball, pixels in [0, 1]: 8/255 is 0.0314. None: only the box [0, 1]
            binds.
        norm: ``linf`` or ``l2``.
        start: ``zeros``; ``random`` (uniform in the L-infinity ball; in the L2 ball a random
            direction and a uniform length: Madry et al. 2018); ``signs``, a corner of the
            L-infinity ball, each channel of each pixel plus or minus `epsilon`; or ``stripes``, the
            same with one sign for each channel of each column (the start of the square attack:
            Andriushchenko et al. 2020). In the L2 norm the last two have length `epsilon`.
        size: height and width; those that the network reads where None.
        longest: in place of `size`, pixels of the longer side, in the shape of the one image.
        eight_bit: False allows perturbations finer than the 256 levels of a file, for studies of
            the network rather than of images.
        grey: whether luminance alone changes: the genome is then [r, 1, h, w], added to all three
            channels, so that the colour differences of the clean image (I and Q of YIQ) stay.
        levels: whether only whole levels of 1/255 are legal, so that every step of the search is
            evaluated on an image that a file can hold (in the L2 norm rounding may add to the
            length).

    Raises:
        InputError: for no image, for settings that contradict each other, and for an impossible
            radius, norm, start or size.
    """

    def __init__(
        self,
        image: data.Source | None = None,
        images: data.Sources | None = None,
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
        if levels and not eight_bit:
            raise InputError(
                "encoding.levels=true, encoding.eight_bit=false: whole levels are rounded; "
                "leave one out."
            )
        self.pictures = _clean_pictures(image, images)
        self.names = [picture.name for picture in self.pictures]
        self.epsilon = None if epsilon is None else self.ball.epsilon
        self.norm = norm
        self.kind = start
        self.eight_bit = eight_bit
        self.grey = grey
        self.levels = levels
        self.size = size_of(size) if longest is None else self._size_in_shape(longest, size)
        self._load(torch.device("cpu"))

    def start(self, rows: Rows) -> Genome:
        shape = (1 if self.grey else 3, *self.clean_images.shape[2:])
        return self.project(self.ball.start(self.kind, rows, shape), rows)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return _ClampToBox.apply(self._clean(rows) + genome)

    def export(self, genome: Genome, rows: Rows) -> Images:
        images = self.decode(genome, rows)
        if self.epsilon is None or self.norm != "linf" or not self.eight_bit:
            return images
        if all(picture.values is None for picture in self.pictures):
            return images
        # clean images between two levels: the nearest levels of a file that are inside of the ball
        clean = self._clean(rows)
        low = ((clean - self.epsilon) * 255 - ROUNDING).ceil()
        high = ((clean + self.epsilon) * 255 + ROUNDING).floor()
        return (images * 255).round().clamp(low, high).clamp(0, 255) / 255

    def project(self, genome: Genome, rows: Rows) -> Genome:
        if self.epsilon is not None:
            genome = self.ball.project(genome)
        if self.levels:
            # after the ball, whose scaling leaves no whole levels; clean images have them
            genome = (genome * 255).round() / 255
        if self.grey:
            # three channels share a value; decoding clips the channel that would leave [0, 1]
            return genome.clamp(-1, 1)
        # the clean image is in the box, so clipping shrinks every coordinate: the ball still holds
        clean = self._clean(rows)
        return (clean + genome).clamp_(0, 1).sub_(clean)

    def at(self, size: tuple[int, int]) -> Perturbation:
        other = copy.copy(self)
        other.size = size
        other._load(self.clean_images.device)
        return other

    def around(self, picture: data.Picture) -> Perturbation:
        """The same ball around another clean image, at the same size."""
        other = copy.copy(self)
        other.pictures = [picture]
        other.names = [picture.name]
        other._load(self.clean_images.device)
        return other

    def to(self, device: torch.device) -> Perturbation:
        other = copy.copy(self)
        other.clean_images = self.clean_images.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert to.size is not None
        return torch.nn.functional.interpolate(genome, to.size, mode="bicubic", antialias=True)

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, device=self.clean_images.device)

    def originals(self, rows: Rows) -> Images:
        return self._clean(rows).expand(len(rows), -1, -1, -1)

    def _clean(self, rows: Rows) -> Tensor:
        """The clean image of each row, [r, 3, h, w], or [1, 3, h, w] where all share one."""
        return self.clean_images if len(self.clean_images) == 1 else self.clean_images[rows.item]

    def _size_in_shape(self, longest: int, size: Size) -> tuple[int, int] | None:
        if size is not None or len(self.pictures) > 1:
            raise InputError(
                f"encoding.longest={longest}: it is for one picture, and in place of "
                "encoding.size; write encoding.longest=null, and encoding.size=[HEIGHT,WIDTH] "
                "for several."
            )
        return in_shape(*self.pictures[0].image.size, longest)

    def _load(self, device: torch.device) -> None:
        """Sets `clean_images` [n, 3, h, w] at the size of the encoding, on `device`."""
        self.clean_images = torch.zeros(1, 3, 1, 1, device=device)
        if self.size is not None:
            images = torch.stack([picture.at(self.size) for picture in self.pictures])
            self.clean_images = images.to(device)


def _clean_pictures(image: data.Source | None, images: data.Sources | None) -> list[data.Picture]:
    """The pictures that one of `image` and `images` names."""
    if image is not None and images is not None:
        raise InputError(
            f"image={image}: images= names what is changed already; "
            "write image=null, or leave out images=."
        )
    if image is not None:
        return [data.picture(image)]
    if images is not None:
        return data.pictures(images)
    raise InputError(
        "image: a perturbation needs a picture; write image=PATH, or images=FOLDER for several."
    )


class _ClampToBox(torch.autograd.Function):
    """Images clamped to [0, 1], with a gradient at 0 and 1 too, where `clamp` has none.

    Otherwise a white pixel could never grow darker.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        ctx.save_for_backward(images)
        return images.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (images,) = ctx.saved_tensors  # in one pass: the gradient inside of the edges, else 0
        return torch.ops.aten.hardtanh_backward(gradient, images, -EDGE, 1.0 + EDGE)
