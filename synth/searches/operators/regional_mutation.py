"""Takes genomes [n, p, *shape] and, where steps adapt, a strength [n, p]; gives mutants: neighbours move together.

The last two axes of a genome are the height and the width of a picture, those before them its channels; a
genome of one axis is a picture of height 1. Draws come from `rows`, one key an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

from synth.core import Rows, randomness
from synth.errors import InputError
from synth.searches.operators._ranges import check_deviation, span_of


class Smooth:
    """Mutation by low-frequency noise in a random window: shapes and shades move, not single pixels.

    Each individual draws normal noise on a grid of k x k cells over the picture, k whole in the range `cells`,
    enlarged bicubically (Keys 1981) and scaled so that every pixel's step has deviation `sigma`; fewer cells
    give broader shades. It is added within a rectangle whose sides are shares of the picture's in the range
    `window`, at a random place, and which fades in over the share `edge` of its sides (0: a hard edge; at most
    0.5). Low frequencies are what black-box attacks on networks find cheapest (Guo, Frank & Weinberger 2019).
    A `strength` [n, p] multiplies each individual's `sigma`.
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
        self.sigma, self.cells, self.edge = sigma, (int(least), int(most)), edge
        self.window = span_of("search.mutate.window", window, 0, 1)

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        channels, height, width = _picture(genomes)
        crowd = rows.split(genomes.shape[1])
        draws = crowd.uniform(5)
        least, most = self.cells
        cells = least + (draws[:, 0] * (most - least + 1)).floor()
        down = self._enlarging(height, cells, draws[:, 1], draws[:, 2])
        across = self._enlarging(width, cells, draws[:, 3], draws[:, 4])
        sigma = self.sigma if strength is None else self.sigma * strength.reshape(-1, 1, 1)
        grid = crowd.fold_in(1).normal(
            channels * most, most
        )  # [r, channels * most, most], a grid a channel
        wide = (grid @ across.mT).mul_(sigma).view(-1, most, width)
        pictures = genomes.reshape(-1, height, width)
        return torch.baddbmm(pictures, down.repeat_interleave(channels, 0), wide).view_as(genomes)

    def _enlarging(self, side: int, cells: Tensor, share: Tensor, place: Tensor) -> Tensor:
        """What takes noise on a line of `cells` [r] nodes to `side` pixels of the window: [r, side, most]."""
        pixel = torch.arange(side, device=cells.device) + 0.5
        node = torch.arange(self.cells[1], device=cells.device)
        at = (pixel * cells[:, None] / side - 0.5).clamp_min_(0.0).minimum(cells[:, None] - 1)
        weights = _keys((at[..., None] - node).abs()).mul_(node < cells[:, None, None])
        weights /= (
            weights.square().sum(2, keepdim=True).sqrt()
        )  # else the noise is weaker between the nodes
        least, most = self.window
        length = ((least + share * (most - least)) * side).clamp_min(1.0)
        fade = self.edge * length
        start = (
            place * (side - length + 2 * fade) - fade
        )  # may fade outside, or the border would hardly move
        along = (pixel - start[:, None]) / length[:, None]
        inside = (along >= 0) & (along < 1)
        if self.edge:
            ramp = torch.minimum(along, 1 - along).div_(self.edge).clamp_(0.0, 1.0)
            inside = (ramp * (torch.pi / 2)).sin_().square_().mul_(inside)
        return weights.mul_(inside[..., None])


class Patch:
    """Mutation: a random rectangle gets one random colour added, each channel + or - `sigma`.

    It is the step of the square attack (Andriushchenko, Croce, Flammarion & Hein 2020), but for rectangles:
    both sides are drawn, as shares of the picture's in the range `size`, at least one pixel. Where `first` is given,
    the range is that one in the beginning and shrinks to `size` over `shrink` generations: far from the goal large
    steps pay, near it small ones. A `strength` [n, p] multiplies each individual's `sigma`.
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
        self.sigma, self.size, self.shrink = (
            sigma,
            span_of("search.mutate.size", size, 0, 1),
            shrink,
        )
        self.first = None if first is None else span_of("search.mutate.first", first, 0, 1)

    def at(self, generation: int) -> Patch:
        """The mutation of that generation, the first being 1."""
        if self.first is None or generation > self.shrink:
            return Patch(self.sigma, self.size)
        share = (generation - 1) / self.shrink
        low, high = (
            (1 - share) * early + share * late
            for early, late in zip(self.first, self.size, strict=True)
        )
        return Patch(self.sigma, (low, high))

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        channels, height, width = _picture(genomes)
        crowd = rows.split(genomes.shape[1])
        draws = crowd.uniform(4)
        down = self._covered(height, draws[:, 0], draws[:, 1])
        across = self._covered(width, draws[:, 2], draws[:, 3])
        signs = randomness.coins(crowd.fold_in(1).key, channels).to(genomes.dtype).mul_(2).sub_(1)
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


def _keys(away: Tensor) -> Tensor:
    """Keys' cubic kernel (a = -1/2) of distances >= 0: 1 at 0, 0 from 2 on."""
    near = (1.5 * away - 2.5) * away.square() + 1
    far = ((2.5 - 0.5 * away) * away - 4) * away + 2
    return torch.where(away < 1, near, torch.where(away < 2, far, 0.0))
