"""A linear classifier on pixels: one row of weights a class, which is a picture, its template.

Where lectures on image classification begin. Its weights start at zero, so that a template is a
weighted sum of training pictures and nothing else.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn


class Flat(nn.Module):
    """Images [n, 3, h, w] as vectors [n, 3 h w], divided by the root of their length.

    Vectors of many pixels are long, and a rate that suits other networks would be too high.
    """

    def forward(self, images: Tensor) -> Tensor:
        vectors = images.flatten(1)
        return vectors / math.sqrt(vectors.shape[1])


def linear(
    classes: int = 100, dropout: float = 0.0, size: int | Sequence[int] = 64
) -> nn.Sequential:
    """An untrained network: normalised images [n, 3, *size] to logits [n, classes].

    Args:
        classes: number of logits, at least 1.
        dropout: probability with which a number of a pixel is zeroed in training mode.
        size: height and width of the images, or one number for both.
    """
    height, width = (size, size) if isinstance(size, int) else size
    fc = nn.Linear(3 * height * width, classes)
    nn.init.zeros_(fc.weight)
    nn.init.zeros_(fc.bias)
    layers = OrderedDict(flatten=Flat(), dropout=nn.Dropout(dropout), fc=fc)
    return nn.Sequential(layers)
