"""A residual network for 64x64 images, of half the weights of the mini AlexNet.

He, Zhang, Ren and Sun 2016 (basic blocks, projection shortcuts), with five blocks, and a stem of
one 3x3 convolution of stride 2 in place of a 7x7 and a pool, because the images are small.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

CHANNELS = (32, 64, 112, 192)


class ResidualBlock(nn.Module):
    """A basic block: two 3x3 convolutions, added to their input.

    Where the shape changes the shortcut is a 1x1 convolution with batch normalisation (option B of
    the paper).

    Args:
        inputs: channels of the input [n, inputs, h, w].
        outputs: channels of the output [n, outputs, h/stride, w/stride].
        stride: of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(
                OrderedDict(conv=projection, norm=nn.BatchNorm2d(outputs))
            )
        self.relu2 = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        residual = self.relu1(self.norm1(self.conv1(features)))
        residual = self.norm2(self.conv2(residual))
        return self.relu2(residual + self.shortcut(features))


def mini_resnet(classes: int = 100, dropout: float = 0.0) -> nn.Sequential:
    """An untrained network: normalised images [n, 3, 64, 64] to logits [n, classes].

    About 1.1 million weights and 69 million multiply-adds an image at 100 classes and 64x64 pixels.
    Any size from 16 pixels on works, because the last pool averages over all places. No ReLU is in
    place and none is used twice, so that hooks reach each of them, as guided backpropagation needs.

    Args:
        classes: number of logits, at least 1.
        dropout: probability with which a pooled feature is zeroed before fc in training mode.
    """
    stem, first, second, third = CHANNELS
    return nn.Sequential(
        OrderedDict(
            stem=_stem(stem),
            block1=ResidualBlock(stem, first, stride=2),
            block2=ResidualBlock(first, first),
            block3=ResidualBlock(first, second, stride=2),
            block4=ResidualBlock(second, second),
            block5=ResidualBlock(second, third, stride=2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            fc=nn.Linear(third, classes),
        )
    )


def _stem(outputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, outputs, 3, stride=2, padding=1, bias=False),
            norm=nn.BatchNorm2d(outputs),
            relu=nn.ReLU(),
        )
    )
