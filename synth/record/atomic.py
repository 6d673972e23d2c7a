"""Atomic writes: a path holds the whole new file or the old one, never a part."""

from __future__ import annotations

import errno
import glob
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from synth.errors import InputError

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
EARLIER = re.compile(r"[a-z0-9_]{8}")  # what Python's tempfile appends


def write_atomically(path: Path, data: bytes, shared: bool = False) -> None:
    """Writes `data` beside `path`, makes sure that it is on the disk, then renames it over `path`.

    What a killed process left of `path` is overwritten or removed.

    Args:
        path: the file.
        data: its new content.
        shared: whether other processes may be writing `path`, as those of a run folder may not.

    Raises:
        OSError: as the operating system raises it; `path` is then untouched, with nothing left
            beside it.
    """
    partial = path.with_name(f"{path.name}.partial")
    if shared:
        remove_left_over(path)
        partial = beside(path)
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """The temporary file of `path` that belongs to this process alone."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def is_running(process: int) -> bool:
    """Whether this machine has a process of that id; True on Windows, where none is asked."""
    if sys.platform == "win32":  # signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


def remove_left_over(path: Path) -> None:
    """Removes temporary files of `path` whose process, named at the end, has ended.

    Those of earlier versions end in eight random letters. Others, as an editor's, are left.
    """
    for file in path.parent.glob(f".{glob.escape(path.name)}.*"):
        process = file.name.removeprefix(f".{path.name}.")
        ended = process.isdecimal() and not is_running(int(process))
        if ended or EARLIER.fullmatch(process):
            file.unlink(missing_ok=True)


@contextmanager
def report_full_disk(folder: Path, consequence: str | Callable[[], str]) -> Iterator[None]:
    """Turns a full disk inside the block into one `InputError`.

    Args:
        folder: the run folder.
        consequence: the end of the message, or what gives it once the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        end = consequence if isinstance(consequence, str) else consequence()
        raise InputError(f"folder={folder}: the disk is full. {end}") from error
