"""Names of folders: of a single run, of a sweep, and of a point of a sweep."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from synth.errors import InputError

LONGEST_NAME = 200  # bytes of a folder's name; file systems allow 255
MOST_IN_A_SECOND = 999


def run_folder(folder: object, recipe: str) -> str:
    """The folder of a single run.

    Args:
        folder: what the user wrote as ``folder=``; it is taken as it is.
        recipe: name of the recipe.

    Returns:
        `folder`, or a new folder ``runs/<date>/<time>_<recipe>``; runs that begin in the same
        second get ``_2``, ``_3`` and so on.

    Raises:
        InputError: where no folder can be made, or `folder` is no name.
    """
    if folder is not None:
        return _name("folder", folder)
    moment = datetime.now()
    parent = Path("runs") / f"{moment:%Y-%m-%d}"
    name = f"{moment:%H-%M-%S}_{recipe}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST_IN_A_SECOND + 1):
            path = parent / (name if number == 1 else f"{name}_{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return str(path)
    except OSError as error:
        raise InputError(
            f"{parent}: cannot be written to ({error.strerror}); write folder=PATH."
        ) from error
    raise InputError(f"{parent / name}: a thousand runs in one second; write folder=PATH.")


def point(overrides: str) -> str:
    """The folder name of a point of a sweep: its overrides, the same name for the same overrides.

    Characters that a folder's name cannot hold are replaced and long names are cut; a digest then
    keeps different overrides apart.
    """
    if not overrides:
        return "defaults"
    overrides = overrides.replace("\\ ", " ")  # Hydra escapes spaces
    name = re.sub(r"[\x00-\x1f\x7f/\\]", "-", overrides)
    if name == overrides and name.strip(". ") == name and len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(os.fsencode(overrides)).hexdigest()[:12]
    most = LONGEST_NAME - len(digest) - 1
    return name.encode(errors="ignore")[:most].decode(errors="ignore") + "-" + digest


def sweep_name(sweep: object, recipe: str, overrides: Sequence[str]) -> str:
    """The name of a sweep's folder under ``runs/``.

    Args:
        sweep: what the user wrote as ``sweep=``.
        recipe: name of the recipe.
        overrides: all overrides of the command, as they were written.

    Returns:
        `sweep`, or the recipe; several recipes as they were written (``one,two``).

    Raises:
        InputError: where ``folder=`` was written, which only a single run has, or `sweep` is no
            name.
    """
    folder = next((word for word in overrides if word.lstrip("+").startswith("folder=")), None)
    if folder:
        raise InputError(
            f"{folder}: each run of a sweep has a folder of its own; write sweep=NAME for "
            "runs/NAME."
        )
    recipes = [word.removeprefix("recipe=") for word in overrides if word.startswith("recipe=")]
    if sweep is not None:
        return _name("sweep", sweep)
    return point(recipes[-1] if recipes else recipe)


def _name(key: str, value: object) -> str:
    """`value`, which the user wrote as ``key=``."""
    if not isinstance(value, str):
        raise InputError(f"{key}={value}: write the name of one folder.")
    if not value.strip():
        raise InputError(f"{key}={value}: empty, as a variable is that is not set; write a name.")
    return value
