"""Random windows: boxes of the image, each scaled up to full size."""

from __future__ import annotations

import torch

from synth.core import Images, Rows, Transform
from synth.errors import InputError
from synth.transforms.affine import resample


class Window(Transform):
    """A random box of the image, with the image's aspect ratio, scaled up to the image's size.

    A box that would reach beyond the border is moved inside, so nothing outside the image is
    sampled. Source: the crops of Fel et al. 2023 (xplique's ``maco.py``), with sides from .5 down
    to .05 and `wander` .15; with `wander` about .05, the centre bias of Nguyen, Yosinski & Clune
    2016.

    Args:
        side: mean side of the box as a share of the image's height and width, in (0, 1].
        spread: standard deviation of the side, 0 or more; sides are clipped to [0.05, 1].
        wander: standard deviation of the centre of the box around that of the image, as a share of
            the image, 0 or more.

    Raises:
        InputError: for values outside these ranges.
    """

    def __init__(self, side: float = 0.5, spread: float = 0.05, wander: float = 0.15) -> None:
        if not 0 < side <= 1:
            raise InputError(
                f"transform.window.side={side}: write a share of the picture in (0, 1]."
            )
        if spread < 0 or wander < 0:
            raise InputError(
                f"transform.window: spread={spread}, wander={wander}; "
                "standard deviations are at least 0."
            )
        self.side = side
        self.spread = spread
        self.wander = wander

    def __call__(self, images: Images, rows: Rows) -> Images:
        draws = rows.normal(3)
        side = (self.side + self.spread * draws[:, :1]).clamp(0.05, 1.0)
        # positions span -1 to 1, so a box whose side is the share s reaches s to either side
        centre = torch.maximum(torch.minimum(2 * self.wander * draws[:, 1:], 1 - side), side - 1)
        matrices = torch.diag_embed(torch.cat([side, side, torch.ones_like(side)], dim=1))
        matrices[:, :2, 2] = centre
        return resample(images, matrices)
