"""Weights files: safetensors and torch checkpoints, read without executing what they hold.

A checkpoint is a state dict, or a dictionary that has one beside other things (`NESTS`), such as
the names of the classes (`NAMES`). Its keys may begin with a word that the module's do not:
``module.`` of a parallel training, ``_orig_mod.`` of a compiled module, ``model.`` of Lightning.

Files that the package writes are safetensors in float16 with metadata as JSON strings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from synth import __version__
from synth.core.hardware import is_out_of_memory
from synth.errors import InputError, first_line
from synth.files import open_file
from synth.record.atomic import write_atomically

Module = TypeVar("Module", bound=nn.Module)

# where a checkpoint has the state dict; the averaged weights of a training come last
NESTS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
NESTS += ("params", "module", "state_dict_ema", "model_ema", "ema")
NAMES = ("classes", "class_names", "categories", "labels", "class_to_idx")  # of the outputs


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds.

    Attributes:
        state: the state dict, floating point tensors in float32.
        metadata: of a safetensors file.
        names: of the outputs, in order; None where it has none.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]
    names: list[str] | None = None


def read(path: Path, word: str = "network.weights") -> tuple[dict[str, Tensor], dict[str, str]]:
    """State dict and metadata of a weights file; arguments and errors as for `checkpoint`."""
    contents = checkpoint(path, word)
    return contents.state, contents.metadata


def checkpoint(path: Path, word: str = "network.weights") -> Checkpoint:
    """The contents of a weights file.

    Args:
        path: safetensors, or a torch checkpoint, which is read with ``weights_only=True`` and has
            no metadata. Floating point tensors of any width are returned as float32.
        word: the user's key for the file, for error messages.

    Raises:
        InputError: the file is missing, not permitted, cut short or of another kind, a tensor is
            larger than the file, or a value is not finite.
    """
    open_file(path, f"{word}={path}").close()
    try:
        state, metadata = (
            _safetensors(path) if path.suffix.lower() == ".safetensors" else (_torch(path), {})
        )
    except Exception as error:  # a damaged pickle can raise an exception of any kind
        if is_out_of_memory(error):
            raise
        reason = first_line(error)[:120]
        if isinstance(error, pickle.UnpicklingError):  # torch's message is about its arguments
            reason = "no pickle of tensors alone; save module.state_dict()"
        raise InputError(
            f"{word}={path}: not a whole safetensors file or torch state dict ({reason})."
        ) from error
    names = _names(metadata if metadata else state)
    if isinstance(state, dict):
        nested = (state.get(key) for key in NESTS)
        state = next((value for value in nested if isinstance(value, dict) and value), state)
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise InputError(f"{word}={path}: holds no state dict (a dict of named tensors).")
    size = path.stat().st_size
    for key, value in state.items():
        if not _is_plain(value) or value.nbytes > size:
            raise InputError(f"{word}={path}: {key} is no plain tensor, all of it in the file.")
    state = {
        key: value.float() if value.is_floating_point() else value for key, value in state.items()
    }
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(
                f"{word}={path}: {key} holds NaN or infinite values; the file is damaged."
            )
    return Checkpoint(state, metadata, names)


def _names(contents: object) -> list[str] | None:
    """The names of the outputs that a checkpoint or metadata has, if any."""
    for key in NAMES if isinstance(contents, dict) else ():
        value = contents.get(key)
        if isinstance(value, str):  # of metadata
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                continue
        names = names_of(value)
        if names:
            return names
    return None


def names_of(value: object) -> list[str] | None:
    """Names of outputs, in order, from one of the forms in which they are written; else None.

    Args:
        value: a list of names, or of dictionaries with a ``name``; names by their indices, or
            indices by their names, from 0 without a gap.
    """
    if isinstance(value, dict):
        pairs = [(index, name) for name, index in value.items()]
        if not all(isinstance(index, int) for index, _ in pairs):
            pairs = [(int(i), name) for i, name in value.items() if str(i).isdecimal()]
        pairs.sort(key=lambda pair: pair[0])
        gapless = [index for index, _ in pairs] == list(range(len(pairs)))
        value = [name for _, name in pairs] if gapless else None
    if not isinstance(value, list | tuple):
        return None
    names = [entry.get("name") if isinstance(entry, dict) else entry for entry in value]
    return [str(name) for name in names] if all(isinstance(name, str) for name in names) else None


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata() or {}


def _is_plain(value: Tensor) -> bool:
    """Whether it holds real numbers, one for each place: not sparse, quantised, complex or empty.

    A tensor of the device ``meta`` has no numbers.
    """
    dense = value.layout == torch.strided and value.device.type == "cpu"
    return dense and not value.is_quantized and not value.is_complex()


def _torch(path: Path) -> object:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            # torch writes none; a few bytes could become any number of them
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("compressed")
    with warnings.catch_warnings():
        # about an unusual pickle: the error that follows is more precise
        warnings.simplefilter("ignore", UserWarning)
        # training scripts save their arguments, a plain record of values
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes safetensors atomically: floating point tensors in float16, integers as they are.

    Args:
        path: the file; its folder is made.
        tensors: a state dict.
        metadata: strings; the format and the version of the package are added. Bytes of file names
            that are no UTF-8 are escaped as in JSON.
    """
    halves = {}
    for name, tensor in tensors.items():
        dtype = torch.float16 if tensor.is_floating_point() else tensor.dtype
        halves[name] = tensor.detach().to("cpu", dtype).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        key: value.encode("utf-8", "backslashreplace").decode()
        for key, value in {"format": "pt", **metadata, "synth": __version__}.items()
    }
    write_atomically(path, save(halves, metadata=about))


def built(
    build: Callable[[], Module],
    state: Mapping[str, Tensor],
    path: Path,
    name: str,
    word: str = "network.weights",
) -> Module:
    """The module of `build` with the weights of a state dict; arguments as for `fill`.

    For modules whose sizes come from the file: no memory is taken before they agree with its
    tensors.
    """
    with torch.device("meta"):
        outline = build()
    state = without_prefix(state, outline)
    _check_same(outline, state, path, name, word)
    module = build()
    module.load_state_dict(state, strict=False)
    return module


def fill(
    module: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    name: str,
    word: str = "network.weights",
) -> None:
    """Loads a state dict into a module; counters of batch normalisation may be missing.

    Args:
        module: is changed.
        state: its state dict, as `read` gives it.
        path: the file it is from, for error messages.
        name: what the module is called in them.
        word: the user's key for the file in them.

    Raises:
        InputError: the state dict is another network's; the message says how they differ.
    """
    state = without_prefix(state, module)
    _check_same(module, state, path, name, word)
    module.load_state_dict(state, strict=False)


def without_prefix(state: Mapping[str, Tensor], module: nn.Module) -> Mapping[str, Tensor]:
    """`state` without the first words that all its keys have, and the module's have not."""
    own = module.state_dict().keys()
    while len(firsts := {key.partition(".")[0] for key in state}) == 1:
        if any(key in own for key in state) or not all("." in key for key in state):
            break
        prefix = f"{firsts.pop()}."
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def head_size(module: nn.Module, state: Mapping[str, Tensor], classes: int) -> int:
    """How many classes the weights of `state` are for, by the shapes of the last layer.

    `classes` where they differ from `module`, which has so many, in something else as well.
    """
    state = without_prefix(state, module)
    own = module.state_dict()
    others = [key for key in own if key in state and own[key].shape != state[key].shape]
    sizes = {
        len(state[key]) if own[key].ndim and len(own[key]) == classes else 0
        for key in others
        if state[key].ndim == own[key].ndim and state[key].shape[1:] == own[key].shape[1:]
    }
    return sizes.pop() if len(sizes) == 1 and max(sizes) > 0 else classes


def _check_same(
    module: nn.Module, state: Mapping[str, Tensor], path: Path, name: str, word: str
) -> None:
    """Raises InputError where names or shapes of a state dict are not those of `module`."""
    own = module.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in own]
    shapes = [key for key in own if key in state and own[key].shape != state[key].shape]
    if missing or extra or shapes:
        differences = [f"it lacks {missing[0]} ({len(missing)} in all)"] if missing else []
        differences += [f"it has an unknown {extra[0]} ({len(extra)} in all)"] if extra else []
        differences += [
            f"{key} is {tuple(state[key].shape)} where {name} has {tuple(own[key].shape)}"
            for key in shapes[:1]
        ]
        raise InputError(
            f"{word}={path}: the weights of another network than {name}: {'; '.join(differences)}."
        )


def check_answer(answer: Tensor, path: Path, word: str = "network.weights") -> None:
    """Raises InputError where the output of a module with the weights of `path` is not finite."""
    if not bool(answer.isfinite().all()):
        raise InputError(
            f"{word}={path}: with these weights the output is NaN or infinite; the file is damaged."
        )


def modified(path: Path) -> int:
    """When a file was changed, in nanoseconds; 0 where that cannot be known, as `read` reports."""
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_of(
    metadata: Mapping[str, str], key: str, path: Path, word: str = "network.weights"
) -> object:
    """The JSON value of `key` in a weights file's metadata.

    Args:
        metadata: as `read` gives it.
        key: of the value.
        path: the file, for error messages.
        word: the user's key for the file in them.

    Raises:
        InputError: there is none, or it is no JSON.
    """
    try:
        return json.loads(metadata[key])
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(
            f"{word}={path}: carries no readable {key!r} in its metadata; "
            "give a file written by synth recipe=train_classifier."
        ) from error


def whole(value: object) -> int:
    """`value` where it is a whole number, as JSON has it; else a TypeError."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value
