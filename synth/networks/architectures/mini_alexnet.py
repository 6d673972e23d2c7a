"""AlexNet for 64x64 images.

Krizhevsky, Sutskever and Hinton 2012, shrunk to a sixteenth of a 256x256 image and about a
thirtieth of the weights. Departures from the paper: batch normalisation in place of local response
normalisation, one stream in place of two, pooling after relu 1, 2 and 5 with padding, and 512 units
in fc6 and fc7.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from synth.networks.architectures._blocks import convolution, fully_connected, pool

CHANNELS = (48, 96, 160, 160, 128)
UNITS = 512


def mini_alexnet(classes: int = 100, dropout: float = 0.0) -> nn.Sequential:
    """An untrained network: normalised images [n, 3, 64, 64] to logits [n, classes].

    About 2.0 million weights and 73 million multiply-adds an image at 100 classes. ReLUs are not in
    place, so that a hook on a convolution records the convolution's own output.

    Args:
        classes: number of logits, at least 1.
        dropout: probability with which dropout6 and dropout7 zero a unit of fc6 and fc7 in training
            mode.
    """
    c1, c2, c3, c4, c5 = CHANNELS
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers.update(convolution(1, 3, c1, kernel=7, stride=2), pool1=pool())
    layers.update(convolution(2, c1, c2, kernel=5), pool2=pool())
    layers.update(convolution(3, c2, c3, kernel=3))
    layers.update(convolution(4, c3, c4, kernel=3))
    layers.update(convolution(5, c4, c5, kernel=3), pool5=pool())
    layers.update(flatten=nn.Flatten())
    layers.update(fully_connected(6, c5 * 4 * 4, UNITS, dropout))
    layers.update(fully_connected(7, UNITS, UNITS, dropout))
    layers.update(fc8=nn.Linear(UNITS, classes))
    return nn.Sequential(layers)
