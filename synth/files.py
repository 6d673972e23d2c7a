"""Files and folders that a user names: only regular files and pictures of known formats are opened.

A named pipe or a device could block for ever, and Pillow hands PostScript to another program.
"""

from __future__ import annotations

import errno
import importlib
import io
import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from synth.errors import InputError, first_line

log = logging.getLogger(__name__)

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # as Pillow calls them
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def find_modules_here() -> None:
    """Lets modules in the current folder be imported, as ``python -m`` does.

    It comes last: nothing there hides a module which is installed.
    """
    folder = os.getcwd()
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()


def path_of(source: str | Path, word: str) -> Path:
    """The path that a user wrote, with ``~`` expanded where there is such a user.

    Args:
        source: the path.
        word: the user's key for it, for error messages.

    Raises:
        InputError: it is empty, as an unset variable of a shell is.
    """
    if not str(source):
        raise InputError(f"{word}=: empty; write a path.")
    return Path(os.path.expanduser(source))


def open_file(path: Path, where: str) -> BinaryIO:
    """Opens a regular file for reading; InputErrors begin with `where`.

    Raises:
        InputError: no such file, no permission, or something else than a file.
    """
    try:
        return open_regular(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {reason_of(error)}.") from error


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file for reading.

    Raises:
        OSError: as the operating system raises it; also where it is something else than a file.
        ValueError: `path` holds a null character.
    """
    kind = KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    if kind is not None:
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    return open(path, "rb", opener=without_waiting)


def read_text(path: Path) -> str:
    """The UTF-8 text of a regular file; raises as `open_regular`, and ValueError for other text."""
    with open_regular(path) as file:
        return file.read().decode()


def without_waiting(path: str, flags: int, mode: int = 0o666) -> int:
    """An `opener` for `open`: fails where a named pipe would wait for another process."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), mode)


def reason_of(error: OSError | ValueError) -> str:
    """Why a path cannot be opened: ``no such file``, ``permission denied``."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "no such file"
    return (getattr(error, "strerror", None) or str(error)).lower()


@contextmanager
def open_image(path: Path, where: str) -> Iterator[Image.Image]:
    """Opens a picture; the block decodes it. InputErrors begin with `where`.

    Raises:
        InputError: it is none of `FORMATS`, or damaged, also where that shows in the block.
    """
    with open_file(path, where) as file, decoded(file, where) as image:
        yield image


@contextmanager
def decoded(file: BinaryIO | io.BytesIO, where: str) -> Iterator[Image.Image]:
    """The picture in an open file, as `open_image` has that of a path."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{where}: not a picture ({', '.join(FORMATS)}).") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: far too many pixels; scale it down first.") from error
    except Exception as error:  # a damaged picture can raise an exception of any kind
        raise InputError(
            f"{where}: the picture is damaged or cut short ({first_line(error)})."
        ) from error


def check_folder(folder: Path, where: str, instead: str) -> None:
    """Raises InputError where `folder` is no directory that can be listed.

    Args:
        folder: the directory.
        where: what the message begins with.
        instead: what to write where there is no such directory.
    """
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{where}: there is no such directory; {instead}.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {reason_of(error)}.") from error


def files_below(folder: Path, where: str) -> list[Path]:
    """Everything but folders below `folder`, at any depth, with a picture's suffix; sorted.

    A folder below it that cannot be listed is left out with a warning.

    Raises:
        InputError: `folder` itself cannot be listed; the message begins with `where`.
    """

    def report(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise InputError(f"{where}: {reason_of(error)}.") from error
        warn(f"{where}: {error.filename} is left out: {reason_of(error)}.")

    entries = (
        Path(parent, name) for parent, _, names in os.walk(folder, onerror=report) for name in names
    )
    return sorted(path for path in entries if path.suffix.lower() in SUFFIXES)


@lru_cache(maxsize=4096)
def warn(text: str) -> None:
    """Logs a warning once, however many parts of a run read the same folder."""
    log.warning("%s", text)
