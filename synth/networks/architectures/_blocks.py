"""Blocks of the small AlexNets: their layers by name, to be joined in an `nn.Sequential`."""

from __future__ import annotations

from torch import nn


def convolution(
    number: int, inputs: int, outputs: int, kernel: int, stride: int = 1
) -> dict[str, nn.Module]:
    """A convolution that keeps the size but for its stride, normalised and rectified."""
    return {
        f"conv{number}": nn.Conv2d(
            inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
        ),
        f"norm{number}": nn.BatchNorm2d(outputs),
        f"relu{number}": nn.ReLU(),
    }


def fully_connected(number: int, inputs: int, outputs: int, dropout: float) -> dict[str, nn.Module]:
    """A fully connected layer, normalised, rectified, and with dropout in training mode."""
    return {
        f"fc{number}": nn.Linear(inputs, outputs, bias=False),
        f"norm{number}": nn.BatchNorm1d(outputs),
        f"relu{number}": nn.ReLU(),
        f"dropout{number}": nn.Dropout(dropout),
    }


def pool() -> nn.MaxPool2d:
    """The maximum of 3x3 places at a stride of 2, with padding."""
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
