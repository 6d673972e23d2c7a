"""Objects of a running program in a configuration: a network, a picture, a part made in Python.

Where an object is given in place of a name, the configuration holds a placeholder with a key, which
says what the object is by a hash of its content. `live` gives the object back while it is built,
inside of `objects` alone: a configuration that was written to a file names nothing.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType, MappingProxyType
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np
from omegaconf import OmegaConf, open_dict

from synth.config.types import Config, Settings
from synth.core.network import Network
from synth.data import Picture
from synth.errors import InputError

# whose classes and functions are the same under the same version
LIBRARIES = ("builtins", "collections", "numpy", "pathlib", "synth", "torch")

_objects: ContextVar[Mapping[str, object]] = ContextVar("objects", default=MappingProxyType({}))


@contextmanager
def objects(by_key: Mapping[str, object]) -> Iterator[None]:
    """A block in which `live` gives these objects for their keys."""
    token = _objects.set({**_objects.get(), **by_key})
    try:
        yield
    finally:
        _objects.reset(token)


def live(key: str) -> object:
    """The object of a placeholder.

    Args:
        key: as `key_of` made it.

    Raises:
        InputError: where the program that had the object has ended.
    """
    if key not in _objects.get():
        raise InputError(f"{key}: an object of a Python program, which no file holds.")
    return _objects.get()[key]


def place(cfg: Config, by_path: Mapping[str, object]) -> dict[str, object]:
    """Puts a placeholder for each object into `cfg`.

    Args:
        cfg: the configuration, which is changed.
        by_path: objects by dotted key.

    Returns:
        The objects by the key of their placeholder.
    """
    by_key = {}
    with open_dict(cfg):
        for path, value in by_path.items():
            if isinstance(value, list):
                node: object = [_placeholder(entry, by_key) for entry in value]
            else:
                node = None if value is None else _placeholder(value, by_key)
            OmegaConf.update(cfg, path, node, merge=False)
    return by_key


def named(value: object) -> str:
    """What stands for an object, or a list of them, among the words of a run."""
    return f"[{','.join(map(key_of, value))}]" if isinstance(value, list) else key_of(value)


def _placeholder(value: object, by_key: dict[str, object]) -> Settings:
    key = key_of(value)
    while by_key.get(key, value) is not value:  # equal names of different objects
        key += "+"
    by_key[key] = value
    return {"_target_": f"{__name__}.{live.__name__}", "key": key}


def key_of(value: object) -> str:
    """What an object is: its class, its name if it has one, and a hash of its content.

    What has no content that could be compared, such as a function or a class of the caller's own,
    is told apart by itself: another one is another run.
    """
    if value is None:
        return "null"
    kind = type(value).__name__.lower()
    if isinstance(value, Network):
        about = (value.sha256, value.size, value.fit, value.classes.names, str(type(value.module)))
        pixels = (value.mean.flatten().tolist(), value.scale.flatten().tolist())
        return f"network {value.name} {_hash(repr((about, pixels)).encode())}"
    if isinstance(value, Picture):
        levels = np.asarray(value.image) if value.values is None else value.values.numpy()
        return f"{kind} {value.name} {_hash(levels.tobytes() + str(levels.shape).encode())}"
    buffer = io.BytesIO()
    try:
        _Content(buffer).dump(value)
    except Exception:  # of any kind: what cannot be pickled is not ours to know
        return f"{kind} {_own_name(value)}"
    return f"{kind} {_hash(buffer.getvalue())}"


class _Content(pickle.Pickler):
    """Pickles the content of objects; code by `_own_name`, where pickle stores its path."""

    def persistent_id(self, value: object) -> str | None:
        code = isinstance(value, FunctionType | type)
        if code and str(getattr(value, "__module__", "")).partition(".")[0] not in LIBRARIES:
            return _own_name(value)
        return None


_own_names: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def _own_name(value: object) -> str:
    """A name that no other object has."""
    try:
        return _own_names.setdefault(value, uuid4().hex[:16])
    except TypeError:  # neither hashable nor weakly referenced
        return uuid4().hex[:16]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
