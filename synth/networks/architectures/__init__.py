"""Takes the name of an architecture of ours; gives the function that builds it untrained.

An architecture is a file in this folder that holds a function of the same name, called as
``builder(classes=100, dropout=0.3)``; nothing is registered.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from torch import nn

from synth.errors import InputError, nearest

Builder = Callable[..., nn.Module]


def names() -> list[str]:
    """All architectures, in the order of the alphabet."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def builder(name: str, word: str = "architecture") -> Builder:
    """The builder of `name`; InputError with the nearest names if there is none. `word` is the user's key for it."""
    if name not in names():
        hint = nearest(name, names()) or f" There are {', '.join(names())}."
        raise InputError(f"{word}={name}: no such architecture.{hint}")
    return getattr(importlib.import_module(f"{__name__}.{name}"), name)
