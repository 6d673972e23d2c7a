"""What takes the place of pixels that are covered, and the baseline that pixels are compared with.

average   the picture's own mean colour
mean      the colour that the network subtracts when it normalises: its training pictures' mean
grey      0.5
black     0
blur      the picture, blurred until its objects are gone
noise     uniform noise in each channel
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core.network import Network
from synth.core.randomness import uniform
from synth.core.types import Images
from synth.data.blur import gaussian_blur
from synth.errors import InputError, nearest

FILLS = ("average", "mean", "grey", "black", "blur", "noise")
BLUR = 0.06  # standard deviation as a share of the shorter side: 13 pixels of 224


def check_fill(name: str, word: str = "fill") -> str:
    """`name` itself; InputError where it is no fill.

    Args:
        name: a word of the list above.
        word: the user's key for it.
    """
    if name not in FILLS:
        hint = nearest(name, FILLS) or f" Write {', '.join(FILLS[:-1])} or {FILLS[-1]}."
        raise InputError(f"{word}={name}: no such fill.{hint}")
    return name


def fill(name: str, images: Images, network: Network, keys: Tensor) -> Images:
    """What covers `images` [n, 3, h, w]: as many images of that size.

    Args:
        name: a word of the list above.
        images: RGB in [0, 1].
        network: whose mean is meant by ``mean``.
        keys: of the random numbers of each image, int64 [n].
    """
    match check_fill(name):
        case "average":
            colour = images.mean((2, 3), keepdim=True)
        case "mean":
            colour = network.mean
        case "grey":
            colour = torch.full_like(images[:, :, :1, :1], 0.5)
        case "black":
            colour = torch.zeros_like(images[:, :, :1, :1])
        case "blur":
            colour = gaussian_blur(images, BLUR * min(images.shape[2:]))
        case _:
            colour = uniform(keys, images[0].numel()).view_as(images)
    return colour.expand_as(images)
