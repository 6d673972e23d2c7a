"""Atomic writes: a path holds the whole new file or the old one, never a part."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synth.errors import InputError

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` beside `path`, makes sure that it is on the disk, then renames it over `path`.

    Raises:
        OSError: as the operating system raises it; `path` is then untouched, with nothing left
            beside it.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def report_full_disk(folder: Path, consequence: str) -> Iterator[None]:
    """Turns a full disk inside the block into one `InputError` that ends with `consequence`."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise InputError(f"folder={folder}: the disk is full. {consequence}") from error
