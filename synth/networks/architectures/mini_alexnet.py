"""AlexNet for 64x64 images.

Krizhevsky, Sutskever and Hinton 2012, shrunk to a sixteenth of a 256x256 image and about a
thirtieth of the weights. Departures from the paper: batch normalisation in place of local response
normalisation, one stream in place of two, pooling after relu 1, 2 and 5 with padding, and 512 units
in fc6 and fc7.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

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
    layers.update(_convolution(1, 3, c1, kernel=7, stride=2), pool1=_pool())
    layers.update(_convolution(2, c1, c2, kernel=5), pool2=_pool())
    layers.update(_convolution(3, c2, c3, kernel=3))
    layers.update(_convolution(4, c3, c4, kernel=3))
    layers.update(_convolution(5, c4, c5, kernel=3), pool5=_pool())
    layers.update(flatten=nn.Flatten())
    layers.update(_fully_connected(6, c5 * 4 * 4, UNITS, dropout))
    layers.update(_fully_connected(7, UNITS, UNITS, dropout))
    layers.update(fc8=nn.Linear(UNITS, classes))
    return nn.Sequential(layers)


def _convolution(
    number: int, inputs: int, outputs: int, kernel: int, stride: int = 1
) -> dict[str, nn.Module]:
    return {
        f"conv{number}": nn.Conv2d(
            inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
        ),
        f"norm{number}": nn.BatchNorm2d(outputs),
        f"relu{number}": nn.ReLU(),
    }


def _fully_connected(
    number: int, inputs: int, outputs: int, dropout: float
) -> dict[str, nn.Module]:
    return {
        f"fc{number}": nn.Linear(inputs, outputs, bias=False),
        f"norm{number}": nn.BatchNorm1d(outputs),
        f"relu{number}": nn.ReLU(),
        f"dropout{number}": nn.Dropout(dropout),
    }


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
