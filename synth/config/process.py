"""Settings of the process, about memory: what tensors free stays for the next step, and a limit.

By default glibc returns large blocks to the system as soon as they are free, and every step of a
search maps the same pages again: on two CPU cores that takes about a tenth of a forward and
backward, and of 64 images of 224 px in SqueezeNet almost half of a forward.
"""

from __future__ import annotations

import ctypes
import sys

# option numbers of glibc's malloc.h
_TRIM_THRESHOLD = -1
_MOST_MAPPED = -4  # blocks that are mapped one by one, and so returned one by one
_MOST_FREE = 1 << 30  # bytes that may lie free at the top of the heap


def keep_freed() -> None:
    """Keeps up to 1 GiB of freed blocks in the process; does nothing where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MOST_MAPPED, 0)
    mallopt(_TRIM_THRESHOLD, _MOST_FREE)


def limit_to_machine() -> None:
    """Limits the process to the memory that the machine has, so that more is refused at once.

    Without a limit Linux promises any amount and then swaps, or kills the process without a word.
    Does nothing with a GPU, whose driver reserves far more addresses than memory.
    """
    import torch

    from synth.core.hardware import total_memory

    if not sys.platform.startswith("linux") or torch.cuda.is_available():
        return
    import resource

    limits = resource.getrlimit(resource.RLIMIT_DATA)  # a lower one, as by ulimit, stays
    total = total_memory(torch.device("cpu"))
    limit = min([total, *(limit for limit in limits if limit != resource.RLIM_INFINITY)])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limits[1]))
