"""Weights files: safetensors and torch state dicts, read without executing what they hold.

Files that the package writes are safetensors in float16 with metadata as JSON strings.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
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


def read(path: Path, word: str = "network.weights") -> tuple[dict[str, Tensor], dict[str, str]]:
    """State dict and metadata of a weights file.

    Args:
        path: safetensors, or a torch state dict, which is read with ``weights_only=True`` and has
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
            reason = "no pickle of tensors alone"
        raise InputError(
            f"{word}={path}: not a whole safetensors file or torch state dict ({reason})."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
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
    return state, metadata


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
        _check_same(build(), state, path, name, word)
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
    _check_same(module, state, path, name, word)
    module.load_state_dict(state, strict=False)


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
