"""Settings of a recipe as Python values: words of Hydra's grammar, and objects beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn

from synth import data
from synth.cli.completion import PICTURES
from synth.config.literals import literal
from synth.core import Part
from synth.core.network import Network
from synth.data.arrays import picture_of, pictures_of
from synth.errors import InputError
from synth.networks.directions import WORD as DIRECTIONS
from synth.networks.directions import directions_of

ARRAYS = (Tensor, np.ndarray, Image.Image)


def split(settings: Mapping[str, Any], path: str = "") -> tuple[list[str], dict[str, object]]:
    """Words of Hydra's grammar for the plain values, and the objects by dotted key.

    Args:
        settings: values by key; a dictionary stands for the keys below it.
        path: the key that they all stand under.

    Raises:
        InputError: for a value that is neither plain, nor a picture, a network or a part.
    """
    words: list[str] = []
    objects: dict[str, object] = {}
    for name, value in settings.items():
        key = f"{path}.{name}".lstrip(".")
        if isinstance(value, Mapping):
            inner_words, inner_objects = split(value, key)
            words += inner_words
            objects |= inner_objects
            continue
        live = _object(key, value)
        if live is None:
            words.append(f"{key}={literal(key, value)}")
        else:
            objects[key] = live
    return words, objects


def _object(key: str, value: object) -> object | None:
    """The object that stands under `key`; None where `value` is plain."""
    if isinstance(value, Network | Part | data.Picture):
        return value
    if isinstance(value, nn.Module):
        raise InputError(
            f"{key}: a torch module; give synth.wrap(module, mean=..., std=..., size=...) instead."
        )
    name = key.rsplit(".", 1)[-1]
    if name == DIRECTIONS and isinstance(value, Tensor | np.ndarray):
        return directions_of(value).numpy()
    if isinstance(value, ARRAYS):
        _check_picture_key(key, name)
        several = name == "images" and getattr(value, "ndim", 0) == 4
        return pictures_of(value, key) if several else picture_of(value, word=key)
    if isinstance(value, list | tuple) and any(isinstance(entry, ARRAYS) for entry in value):
        _check_picture_key(key, name)
        return [
            picture_of(entry, f"{number:03d}", key)
            if isinstance(entry, ARRAYS)
            else data.picture(entry, key)
            for number, entry in enumerate(value)
        ]
    if isinstance(value, list) and any(isinstance(entry, data.Picture) for entry in value):
        return value
    return None


def _check_picture_key(key: str, name: str) -> None:
    if name not in PICTURES:
        raise InputError(
            f"{key}: an array; arrays are pictures, under {', '.join(PICTURES)}, or {DIRECTIONS}."
        )
