"""Devices and floating point precisions by name: ``device=auto``, ``precision=auto``."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

import torch

from synth.errors import InputError

log = logging.getLogger(__name__)

PRECISIONS = ("auto", "float32", "bfloat16")
MOST_RESULTS = 0.4  # of the machine's memory
# of control groups, version 2 and 1
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# in the text of an error: of torch on a CPU, of CUDA's libraries, of the size of an array that no
# machine can hold (torch, numpy), of a number that no size can be
OUT_OF_MEMORY = (
    "can't allocate memory",
    "DefaultCPUAllocator",
    "out of memory",
    "bad_alloc",
    "ALLOC_FAILED",
    "Storage size calculation overflowed",
    "array is too big",
    "Maximum allowed dimension exceeded",
    "Overflow when unpacking long",
)


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


def low_precision(word: str, device: torch.device, key: str = "precision") -> bool:
    """Whether to compute in bfloat16 on `device`.

    Args:
        word: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where it is native. The hardware
            decides and never a timing, or the same command would not give the same picture.
        device: where the computation runs.
        key: the user's key for the word, for the error message.

    Raises:
        InputError: another word.
    """
    if word not in PRECISIONS:
        raise InputError(f"{key}={word}: write {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}.")
    if word == "auto":
        return native_bfloat16(device)
    if word == "bfloat16" and not native_bfloat16(device):
        log.warning(
            "%s=bfloat16: %s has no units for it; emulated, it is several times slower than "
            "float32",
            key,
            device,
        )
    return word == "bfloat16"


def native_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 natively: emulated, it is far slower than float32.

    CUDA does from compute capability 8.0 on, a CPU with AMX or AVX-512 BF16.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    return bool(_bfloat16_units())


def total_memory(device: torch.device) -> int:
    """Bytes of memory that `device` has in all; of a CPU's only those that its container may use.

    A large number where that is not known.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if not hasattr(os, "sysconf"):
        return 1 << 60
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # no such file; "max"
            limits.append(int(path.read_text()))
    return min(limits)


def check_results_fit(needed: int, what: str, hint: str) -> None:
    """Refuses results that stay in memory until the end, where they take too much of it.

    Args:
        needed: bytes of them.
        what: they are, as the beginning of a sentence.
        hint: what to write instead.

    Raises:
        InputError: beyond `MOST_RESULTS` of the memory of the machine.
    """
    if needed > MOST_RESULTS * total_memory(torch.device("cpu")):
        raise InputError(f"{what} take {needed >> 30} GB; {hint}.")


def description() -> dict[str, int | str]:
    """What decides the last bits of a computation on this machine's CPU.

    The order of sums depends on the number of threads, the products on the instruction set, so that
    another number of threads gives another picture in the end.

    Returns:
        ``threads``, and ``instructions``: the widest vector unit, and units for bfloat16.
    """
    return {
        "threads": torch.get_num_threads(),
        "instructions": ", ".join([torch.backends.cpu.get_cpu_capability(), *_bfloat16_units()]),
    }


def _bfloat16_units() -> list[str]:
    """Names of the CPU's units that multiply bfloat16."""
    features = torch.cpu.get_capabilities()
    return [name.upper() for name in ("avx512_bf16", "amx_bf16") if features.get(name)]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on any device.

    CUDA has an exception of its own, numpy and Python raise MemoryError, and torch on a CPU raises
    a RuntimeError that only its text tells from others. A size beyond any machine's raises others.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    kinds = (RuntimeError, ValueError, TypeError)
    return isinstance(error, kinds) and any(words in text for words in OUT_OF_MEMORY)
