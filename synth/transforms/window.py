"""Windows: random boxes of a picture, each shown to the network in full size, so that every scale has to make sense."""

from __future__ import annotations

import torch

from synth.core import Images, Rows, Transform
from synth.errors import InputError
from synth.transforms.affine import resample


class Window(Transform):
    """A box of `side` times the picture's height and width, at a random place, scaled up to the picture's own size.

    `spread` is the deviation of the side, of which a side is cut at 5 % and at the whole. The middle is normal around
    the picture's, with the deviation `wander` in shares of the picture, and a box that would reach over the border is
    moved inside: nothing from beyond the picture is ever seen. Source: the crops of Fel et al. 2023 (xplique's
    ``maco.py``), with sides .5 falling to .05 and `wander` .15; around `wander` .05, the centre bias of Nguyen,
    Yosinski & Clune 2016.
    """

    def __init__(self, side: float = 0.5, spread: float = 0.05, wander: float = 0.15) -> None:
        if not 0 < side <= 1:
            raise InputError(
                f"transform.window.side={side}: write a share of the picture in (0, 1]."
            )
        if spread < 0 or wander < 0:
            raise InputError(
                f"transform.window: spread={spread}, wander={wander}; standard deviations are at least 0."
            )
        self.side, self.spread, self.wander = side, spread, wander

    def __call__(self, images: Images, rows: Rows) -> Images:
        draws = rows.normal(3)
        side = (self.side + self.spread * draws[:, :1]).clamp(0.05, 1.0)
        # positions go from -1 to 1, so a box of half the side s reaches s to either side of its middle
        middle = torch.maximum(torch.minimum(2 * self.wander * draws[:, 1:], 1 - side), side - 1)
        matrices = torch.diag_embed(torch.cat([side, side, torch.ones_like(side)], dim=1))
        matrices[:, :2, 2] = middle
        return resample(images, matrices)
