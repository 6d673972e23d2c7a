"""Architectures of classifiers for 64x64 images, small enough to be trained on a CPU.

To add one, write a file in this folder that holds a function of the same name. It is called as
``builder(classes=100, dropout=0.3)`` and returns an untrained ``nn.Module`` that maps normalised
images [n, 3, h, w] to logits [n, classes]. Nothing needs to be registered.

mini_alexnet   mini_alexnet.py   after Krizhevsky et al. 2012, 2.0 million weights
mini_resnet    mini_resnet.py    after He et al. 2016, 1.1 million weights
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from torch import nn

from synth.errors import InputError, nearest

__all__ = ["Builder", "builder", "names"]

Builder = Callable[..., nn.Module]


def names() -> list[str]:
    """Names of all architectures, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def builder(name: str, word: str = "architecture") -> Builder:
    """The function that builds the architecture `name`.

    Args:
        name: as in `names`.
        word: the user's key for it, for the error message.

    Raises:
        InputError: there is no such architecture; the message names the nearest.
    """
    if name not in names():
        hint = nearest(name, names()) or f" There are {', '.join(names())}."
        raise InputError(f"{word}={name}: no such architecture.{hint}")
    return getattr(importlib.import_module(f"{__name__}.{name}"), name)
