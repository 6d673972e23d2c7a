"""Architectures of classifiers for small images, small enough to be trained on a CPU.

To add one, write a file in this folder that holds a function of the same name. It is called as
``builder(classes=100, dropout=0.3)`` and returns an untrained ``nn.Module`` that maps normalised
images [n, 3, h, w] to logits [n, classes]. Nothing needs to be registered. A function that has a
parameter ``size`` is called with the height and width of the images too.

linear         linear.py         one row of weights a class, as many as there are pixels
micro_alexnet  micro_alexnet.py  after Zhang et al. 2017, 0.5 million weights at 32x32
mini_alexnet   mini_alexnet.py   after Krizhevsky et al. 2012, 2.0 million weights
mini_resnet    mini_resnet.py    after He et al. 2016, 1.1 million weights
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import partial

from torch import nn

from synth.errors import InputError, nearest

__all__ = ["Builder", "builder", "names"]

Builder = Callable[..., nn.Module]


def names() -> list[str]:
    """Names of all architectures, in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if not name.startswith("_"))


def builder(name: str, word: str = "architecture", size: tuple[int, int] = (64, 64)) -> Builder:
    """The function that builds the architecture `name`.

    Args:
        name: as in `names`.
        word: the user's key for it, for the error message.
        size: height and width of the images, for an architecture that is made for one size.

    Raises:
        InputError: there is no such architecture; the message names the nearest.
    """
    if name not in names():
        hint = nearest(name, names()) or f" There are {', '.join(names())}."
        raise InputError(f"{word}={name}: no such architecture.{hint}")
    function = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    sized = "size" in inspect.signature(function).parameters
    return partial(function, size=size) if sized else function
