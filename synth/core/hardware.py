"""Devices and floating point precisions by name: ``device=auto``, ``precision=auto``."""

from __future__ import annotations

import torch

from synth.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")


def device_of(word: str) -> torch.device:
    """The device for ``auto`` (a GPU if there is one), ``cpu`` or ``cuda:0``.

    Raises:
        InputError: another word, or a GPU that this machine does not have.
    """
    if word == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(word)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device={word}: this machine has no such device; write auto or cpu."
        ) from error
    return device


def low_precision(word: str, device: torch.device) -> bool:
    """Whether to train in bfloat16 autocast on `device`.

    ``auto`` does where the processor multiplies bfloat16 natively: emulated, it is several times
    slower than float32.

    Args:
        word: ``auto``, ``float32`` or ``bfloat16``.
        device: where the training runs.

    Raises:
        InputError: another word.
    """
    if word not in PRECISIONS:
        raise InputError(
            f"precision={word}: write {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}."
        )
    if word != "auto":
        return word == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # absent from torch before 2.6
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
