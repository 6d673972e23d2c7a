"""A small AlexNet, for experiments that train many networks.

After the small AlexNet of Zhang et al. 2017, "Understanding deep learning requires rethinking
generalization", appendix A: two blocks of convolution, normalisation and pooling, two fully
connected layers of 384 and 192 units. Departures: batch normalisation in place of local response
normalisation, a quarter of the channels, and a first stride of 2.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from synth.networks.architectures._blocks import convolution, fully_connected, pool

CHANNELS = (32, 64)
UNITS = (384, 192)


def micro_alexnet(
    classes: int = 10, dropout: float = 0.0, size: int | Sequence[int] = 64
) -> nn.Sequential:
    """An untrained network: normalised images [n, 3, *size] to logits [n, classes].

    About 0.5 million weights and 2.3 million multiply-adds an image of 32x32.

    Args:
        classes: number of logits, at least 1.
        dropout: probability with which a unit of fc3 and fc4 is zeroed in training mode.
        size: height and width of the images, or one number for both.
    """
    first, second = CHANNELS
    height, width = (size, size) if isinstance(size, int) else size
    places = _eighth(height) * _eighth(width)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers.update(convolution(1, 3, first, kernel=5, stride=2), pool1=pool())
    layers.update(convolution(2, first, second, kernel=3), pool2=pool())
    layers.update(flatten=nn.Flatten())
    layers.update(fully_connected(3, second * places, UNITS[0], dropout))
    layers.update(fully_connected(4, UNITS[0], UNITS[1], dropout))
    layers.update(fc5=nn.Linear(UNITS[1], classes))
    return nn.Sequential(layers)


def _eighth(side: int) -> int:
    """The side of a picture after three strides of 2."""
    for _ in range(3):
        side = (side + 1) // 2
    return side
