"""Directions in a layer: vectors, one number a channel, that are searched and probed like channels.

A file of them is data alone: safetensors, with a tensor ``directions`` or a single matrix, or npy
without pickled objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from synth.core.layers import DIRECTION
from synth.core.network import Network
from synth.errors import InputError, first_line
from synth.files import open_file, path_of

WORD = "directions"

Source = str | Path | Tensor | np.ndarray


def directions_of(source: Source) -> Tensor:
    """Directions, float32 [k, channels].

    Args:
        source: a file, or a tensor or array [k, channels]; a single one may be [channels].

    Raises:
        InputError: no such file, one that holds no vectors, or numbers that are not finite.
    """
    if isinstance(source, str | Path):
        path = path_of(source, WORD)
        word = f"{WORD}={path}"
        values = _read(path, word)
    else:
        word = WORD
        values = _numbers(source, word)
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.numel():
        shape = " x ".join(map(str, values.shape)) or "a single number"
        raise InputError(f"{word}: {shape}; write vectors, [k, channels].")
    if not bool(values.isfinite().all()):
        raise InputError(f"{word}: NaN or infinity among its numbers.")
    zero = (values == 0).all(1).nonzero()[:, 0].tolist()
    if zero:
        raise InputError(f"{word}: direction {zero[0]} is all zeros, which point nowhere.")
    return values


def directed(
    network: Network, layer: str | Sequence[str] | None, directions: Source
) -> tuple[Network, str]:
    """The network with directions as one more layer, and that layer's name.

    Args:
        network: the network.
        layer: in which they are directions; a list may have one name alone.
        directions: as for `directions_of`.

    Raises:
        InputError: as for `directions_of` and `Network.with_directions`; no layer, or several.
    """
    names = [layer] if isinstance(layer, str) else list(layer or ())
    if len(names) != 1:
        raise InputError(f"{WORD}: write layer=NAME, the one layer in which they are directions.")
    return network.with_directions(names[0], directions_of(directions)), DIRECTION


def _numbers(values: Tensor | np.ndarray, word: str) -> Tensor:
    """An array as a tensor of its own, float32 on the CPU."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().float().numpy()
    if values.dtype.kind not in "fiu":
        raise InputError(f"{word}: values of type {values.dtype}; write numbers.")
    with np.errstate(over="ignore"):  # infinities are refused
        return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))


def _read(path: Path, word: str) -> Tensor:
    open_file(path, word).close()
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            # mapped, so that a false shape in the header takes no memory; objects are refused
            return _numbers(np.lib.format.open_memmap(path, mode="r"), word)
        if suffix == ".safetensors":
            return _numbers(_matrix(path, word), word)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{word}: damaged, or no vectors ({first_line(error)}).") from error
    raise InputError(f"{word}: write a .safetensors or .npy file.")


def _matrix(path: Path, word: str) -> Tensor:
    """The tensor of that name in a safetensors file, or its only matrix."""
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        matrices = [name for name in names if len(file.get_slice(name).get_shape()) == 2]
        if WORD in names:
            matrices = [WORD]
        if len(matrices) == 1:
            return file.get_tensor(matrices[0])
    raise InputError(
        f"{word}: {len(matrices)} matrices in it and none is called {WORD}; name it so."
        if matrices
        else f"{word}: no matrix in it; write vectors, [k, channels]."
    )
