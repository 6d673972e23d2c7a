"""Takes a weights file; gives its tensors in float32, its metadata and its hash, without executing what it holds.

And writes what it reads: half precision, with metadata beside it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from synth import __version__
from synth.errors import InputError
from synth.record.atomic import write_atomically


def read(path: Path, word: str = "network.weights") -> tuple[dict[str, Tensor], dict[str, str]]:
    """State dict and metadata of `path`: safetensors, or a torch state dict read with ``weights_only=True``.

    Floating tensors of any width come back as float32. Raises InputError for a file that is missing, cut
    short, of another kind, or with a value that is not a finite number; `word` is the user's key for it.
    """
    if not path.is_file():
        raise InputError(f"{word}={path}: no such file.")
    try:
        state, metadata = (
            _safetensors(path) if path.suffix == ".safetensors" else (_torch(path), {})
        )
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to spell
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        if isinstance(error, pickle.UnpicklingError):  # torch's own words are about its arguments
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
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no mapping


def _torch(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # of an odd pickle: the error that follows says more
        return torch.load(path, map_location="cpu", weights_only=True)


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes `tensors` to `path` atomically as safetensors, floating ones in fp16; counters stay what they are."""
    halves = {
        name: tensor.detach()
        .to("cpu", torch.float16 if tensor.is_floating_point() else tensor.dtype)
        .contiguous()
        for name, tensor in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(
        path, save(halves, metadata={"format": "pt", **metadata, "synth": __version__})
    )


def fill(
    module: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    name: str,
    word: str = "network.weights",
) -> None:
    """Loads `state` into `module`; InputError in one line if it belongs to another network."""
    own = module.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in own]
    shapes = [key for key in own if key in state and own[key].shape != state[key].shape]
    if missing or extra or shapes:
        told = [f"it lacks {missing[0]} ({len(missing)} in all)"] if missing else []
        told += [f"it has an unknown {extra[0]} ({len(extra)} in all)"] if extra else []
        told += [
            f"{key} is {tuple(state[key].shape)} where {name} has {tuple(own[key].shape)}"
            for key in shapes[:1]
        ]
        raise InputError(
            f"{word}={path}: the weights of another network than {name}: {'; '.join(told)}."
        )
    module.load_state_dict(state, strict=False)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_of(metadata: dict[str, str], key: str, path: Path) -> Any:
    """A JSON value from a weights file's metadata; InputError if the file does not carry it."""
    try:
        return json.loads(metadata[key])
    except (KeyError, ValueError) as error:
        raise InputError(
            f"network.weights={path}: carries no readable {key!r} in its metadata; "
            "give a file written by synth recipe=train_classifier."
        ) from error
