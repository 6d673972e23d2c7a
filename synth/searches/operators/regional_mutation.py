"""Mutations of image regions: smooth noise in a window, and rectangles of one colour.

The last two axes of a genome are the height and the width of an image, those before them its
channels; a genome of one axis is an image of height 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from math import inf

import torch
from torch import Tensor

from synth.core import Genome, Mutation, Rows, randomness
from synth.errors import InputError
from synth.searches.operators._ranges import check_deviation, check_image, span_of


class Smooth(Mutation):
    """Low-frequency noise in a random window: shapes and shades change, not single pixels.

    Each individual draws normal noise on a grid of k x k cells over the image, enlarged
    bicubically (Keys 1981) and scaled so that the step of every pixel has deviation `sigma`. It is
    added within a rectangle at a random place, and fades in towards its middle. Black-box attacks
    on networks need the fewest queries with low frequencies (Guo, Frank & Weinberger 2019).

    Args:
        sigma: standard deviation of the noise at a pixel; a strength multiplies it.
        cells: the range of k, whole numbers of 1 or more: fewer cells give broader shades.
        window: the range of the rectangle's sides, as shares in [0, 1] of the image's.
        edge: the share in [0, 0.5] of the rectangle's sides over which the noise fades in; 0 for a
            hard edge.

    Raises:
        InputError: for numbers out of range.
    """

    def __init__(
        self,
        sigma: float = 0.1,
        cells: int | Sequence[int] = (2, 8),
        window: float | Sequence[float] = (0.2, 1.0),
        edge: float = 0.25,
    ) -> None:
        check_deviation("search.mutate.sigma", sigma)
        if not 0 <= edge <= 0.5:
            raise InputError(
                f"search.mutate.edge={edge}: a share of the window's side lies in [0, 0.5]."
            )
        least, most = span_of("search.mutate.cells", cells, 1, inf)
        self.sigma = sigma
        self.cells = (int(least), int(most))
        self.edge = edge
        self.window = span_of("search.mutate.window", window, 0, 1)

    def check(self, genome: Genome) -> None:
        check_image("search.mutate=smooth", genome)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        channels, height, width = _picture(genomes)
        individuals = rows.split(genomes.shape[1])
        draws = individuals.uniform(5)
        least, most = self.cells
        cells = least + (draws[:, 0] * (most - least + 1)).floor()
        down = self._enlarging(height, cells, draws[:, 1], draws[:, 2])
        across = self._enlarging(width, cells, draws[:, 3], draws[:, 4])
        sigma = self.sigma if strength is None else self.sigma * strength.reshape(-1, 1, 1)
        grid = individuals.fold_in(1).normal(channels * most, most)  # a grid for each channel
        wide = (grid @ across.mT).mul_(sigma).view(-1, most, width)
        pictures = genomes.reshape(-1, height, width)
        return torch.baddbmm(pictures, down.repeat_interleave(channels, 0), wide).view_as(genomes)

    def _enlarging(self, side: int, cells: Tensor, share: Tensor, place: Tensor) -> Tensor:
        """Matrices that interpolate noise along one side, from a line of nodes to its pixels.

        Args:
            side: pixels of the side.
            cells: [r], how many nodes there are.
            share: [r], uniform in [0, 1), chooses the length of the window.
            place: [r], uniform in [0, 1), chooses its position.

        Returns:
            [r, side, most], 0 outside of the window.
        """
        pixel = torch.arange(side, device=cells.device) + 0.5
        node = torch.arange(self.cells[1], device=cells.device)
        at = (pixel * cells[:, None] / side - 0.5).clamp_min_(0.0).minimum(cells[:, None] - 1)
        weights = _keys((at[..., None] - node).abs()).mul_(node < cells[:, None, None])
        # without it the noise would be weaker between the nodes
        weights /= weights.square().sum(2, keepdim=True).sqrt()
        least, most = self.window
        length = ((least + share * (most - least)) * side).clamp_min(1.0)
        fade = self.edge * length
        # the fading part may lie outside of the image, or its border would hardly ever change
        start = place * (side - length + 2 * fade) - fade
        along = (pixel - start[:, None]) / length[:, None]
        inside = (along >= 0) & (along < 1)
        if self.edge:
            ramp = torch.minimum(along, 1 - along).div_(self.edge).clamp_(0.0, 1.0)
            inside = (ramp * (torch.pi / 2)).sin_().square_().mul_(inside)
        return weights.mul_(inside[..., None])


class Patch(Mutation):
    """A random colour is added to a random rectangle: each channel + or - `sigma`.

    It is the step of the square attack (Andriushchenko, Croce, Flammarion & Hein 2020), with
    rectangles in place of squares. With `first`, rectangles shrink over the generations: large
    steps are effective far from the optimum, small ones near it.

    Args:
        sigma: the change of a channel; a strength multiplies it.
        size: the range of the rectangle's sides, as shares in [0, 1] of the image's, at least one
            pixel.
        first: the range in the first generation, from which it moves linearly to `size`; None for
            `size` from the beginning.
        shrink: over how many generations.

    Raises:
        InputError: for numbers out of range.
    """

    def __init__(
        self,
        sigma: float = 0.2,
        size: float | Sequence[float] = (0.05, 0.5),
        first: float | Sequence[float] | None = None,
        shrink: int = 100,
    ) -> None:
        check_deviation("search.mutate.sigma", sigma)
        if shrink < 1:
            raise InputError(f"search.mutate.shrink={shrink}: write 1 or more generations.")
        self.sigma = sigma
        self.size = span_of("search.mutate.size", size, 0, 1)
        self.shrink = shrink
        self.first = None if first is None else span_of("search.mutate.first", first, 0, 1)

    def check(self, genome: Genome) -> None:
        check_image("search.mutate=patch", genome)

    def at(self, generation: int) -> Patch:
        if self.first is None or generation > self.shrink:
            return self
        share = (generation - 1) / self.shrink
        low, high = (
            (1 - share) * early + share * late
            for early, late in zip(self.first, self.size, strict=True)
        )
        other = copy(self)
        other.size = (low, high)
        return other

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        channels, height, width = _picture(genomes)
        individuals = rows.split(genomes.shape[1])
        draws = individuals.uniform(4)
        down = self._covered(height, draws[:, 0], draws[:, 1])
        across = self._covered(width, draws[:, 2], draws[:, 3])
        signs = (
            randomness.coins(individuals.fold_in(1).key, channels).to(genomes.dtype).mul_(2).sub_(1)
        )
        colour = signs * (self.sigma if strength is None else self.sigma * strength.reshape(-1, 1))
        pictures = genomes.reshape(-1, channels, height, width)
        columns = colour[..., None] * down.to(genomes.dtype)[:, None]  # [r, channels, height]
        return pictures.addcmul(
            columns[..., None], across.to(genomes.dtype)[:, None, None]
        ).view_as(genomes)

    def _covered(self, side: int, share: Tensor, place: Tensor) -> Tensor:
        """Which of `side` lines the rectangle covers: bool [r, side]."""
        least, most = self.size
        length = ((least + share * (most - least)) * side).round().clamp(1, side)
        start = (place * (side - length + 1)).floor()
        line = torch.arange(side, device=share.device)
        return (line >= start[:, None]) & (line < (start + length)[:, None])


def _picture(genomes: Tensor) -> tuple[int, int, int]:
    """Channels, height and width of genomes [n, p, *shape]."""
    height = genomes.shape[-2] if genomes.ndim > 3 else 1
    width = genomes.shape[-1]
    return genomes[0, 0].numel() // (height * width), height, width


def _keys(distance: Tensor) -> Tensor:
    """Keys' cubic kernel (a = -1/2) of distances >= 0: 1 at 0, and 0 from 2 on."""
    near = (1.5 * distance - 2.5) * distance.square() + 1
    far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))
