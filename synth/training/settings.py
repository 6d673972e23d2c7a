"""Settings that a checkpoint must agree with: hashes of pictures and of weights files.

Pictures and files are compared by content: they may be moved between two runs of one training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from synth.networks import weights_io
from synth.training.plan import Setting

Pictures = TypeVar("Pictures")


def fingerprint(*pictures: Tensor, about: object = None) -> str:
    """The number of pictures and a hash of them and of `about`.

    Args:
        pictures: one or more ``[n, 3, h, w]``; their memory layout does not matter.
        about: anything whose ``repr`` is stable, such as labels and classes.
    """
    digest = hashlib.sha256(repr(about).encode())
    for batch in pictures:
        digest.update(repr(tuple(batch.shape)).encode())
        for chunk in batch.split(1000):
            digest.update(chunk.permute(0, 2, 3, 1).contiguous().cpu().numpy())
    return f"{sum(len(batch) for batch in pictures)} pictures, {short_hash(digest.hexdigest())}"


def settings_of_pictures(
    training: Pictures,
    validation: Pictures,
    separate: bool,
    holdout: float | int,
    hash_of: Callable[..., str] = fingerprint,
) -> dict[str, Setting]:
    """The settings ``images``, ``validation`` and ``holdout``.

    Args:
        training: the training set.
        validation: the validation set.
        separate: whether the validation set was read from a folder of its own; where it was held
            out of the same pictures, both are hashed together.
        holdout: fraction or number of pictures that were held out.
        hash_of: the hash of one or more sets of pictures.
    """
    return {
        "validation": hash_of(validation) if separate else None,
        "holdout": None if separate else holdout,
        "images": hash_of(training) if separate else hash_of(training, validation),
    }


def setting_of_weights(weights: Path | None) -> Setting:
    """The hash of the weights file that a training starts from; None where there is none."""
    return f"sha256 {weights_io.sha256(weights)}" if weights else None


def short_hash(digest: str) -> str:
    """The first 12 hexadecimal digits of a SHA-256, enough to tell two apart."""
    return f"sha256 {digest[:12]}"
