"""Picture files of a run folder: their size, or why they cannot be shown."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from synth.errors import InputError
from synth.files import open_image
from synth.record.result import Json

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")  # those that runs write and browsers show


@dataclass(frozen=True)
class Picture:
    """A picture file of a run.

    Attributes:
        path: where it is on disk.
        width: in pixels; 0 where it cannot be read.
        height: in pixels; 0 where it cannot be read.
        problem: why it cannot be shown; empty where it can.
    """

    path: Path
    width: int = 0
    height: int = 0
    problem: str = ""


def find_picture(folder: Path, name: Json) -> Picture | None:
    """The picture that a record names, relative to its run folder; None where it names none.

    A result is data: it must not make a page show files from elsewhere on the reader's disk, so a
    path that leaves the folder, also through a symbolic link, is a picture with a problem.
    """
    if not isinstance(name, str) or not name:
        return None
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not _is_inside(folder, folder / path):
        return Picture(folder / path.name, problem="picture outside the run folder")
    return _read_size(folder / path)


def _is_inside(folder: Path, path: Path) -> bool:
    """Whether `path`, with links followed, stays in `folder`; an invalid path fails on reading."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except ValueError:
        return True


def _read_size(path: Path) -> Picture:
    """Reads the header only, so that thousands of pictures take a moment."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about metadata and size
            with open_image(path, str(path)) as image:
                if 0 in image.size:
                    return Picture(path, problem="picture cannot be read")
                return Picture(path, *image.size)
    except InputError as error:
        is_missing = isinstance(error.__cause__, FileNotFoundError)
        return Picture(path, problem="picture missing" if is_missing else "picture cannot be read")
