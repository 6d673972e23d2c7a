"""Takes the words `device` and `precision`; gives the device, and whether to train in bf16 there."""

from __future__ import annotations

import torch

from synth.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")


def device_of(word: str) -> torch.device:
    """The device for ``auto`` (a GPU if there is one), ``cpu`` or ``cuda:0``.

    Raises:
        InputError: for another word, and for a GPU that is not there.
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
    """Whether to train in bf16 autocast: ``auto`` does where the processor multiplies bf16 natively.

    Emulated bf16 is several times slower than fp32, so an old CPU trains in fp32.

    Raises:
        InputError: for a word that is not one of ``auto``, ``float32`` and ``bfloat16``.
    """
    if word not in PRECISIONS:
        raise InputError(
            f"precision={word}: write {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}."
        )
    if word != "auto":
        return word == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
