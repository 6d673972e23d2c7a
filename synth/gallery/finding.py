"""Search for run folders under the paths that a user named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.errors import InputError
from synth.files import reason_of
from synth.record.result import RESULT

STEPS = "steps.jsonl"
PICTURE_FOLDERS = (
    "images",
    "originals",
    "differences",
    "figures",
    "strip",
    "strips",
    "large",
    "frames",
)


@dataclass(frozen=True)
class RunFolders:
    """Run folders, sorted by name.

    Attributes:
        finished: folders with a ``result.json``.
        unfinished: folders with a ``steps.jsonl`` only.
    """

    finished: tuple[Path, ...]
    unfinished: tuple[Path, ...]


def find_runs(paths: Sequence[Path]) -> RunFolders:
    """Every run folder at or under `paths`, each once.

    Raises:
        InputError: where a path does not exist, is a file, or cannot be listed.
    """
    finished: dict[str, Path] = {}
    unfinished: dict[str, Path] = {}
    for path in paths:
        try:
            os.scandir(path).close()
        except FileNotFoundError as error:
            raise InputError(
                f"{path}: no such folder. Name a folder that holds runs, such as runs/."
            ) from error
        except NotADirectoryError as error:
            raise InputError(
                f"{path}: a file where a folder is meant; name the run folder or one above it."
            ) from error
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {reason_of(error)}.") from error
        for folder, is_finished in _walk(path):
            (finished if is_finished else unfinished).setdefault(os.path.realpath(folder), folder)
    return RunFolders(tuple(finished.values()), tuple(unfinished.values()))


def is_run(folder: Path) -> bool:
    """Whether `folder` is itself a finished run."""
    return (folder / RESULT).is_file()


def _walk(top: Path) -> Iterator[tuple[Path, bool]]:
    """Run folders under `top`, each with whether it is finished.

    The picture folders of a run hold thousands of files and no run, so they are skipped; so are
    hidden folders, which belong to other programs.
    """
    for name, folders, files in os.walk(top):
        run = RESULT in files or STEPS in files
        skipped = PICTURE_FOLDERS if run else ()
        folders[:] = sorted(
            folder for folder in folders if not folder.startswith(".") and folder not in skipped
        )
        if run:
            yield Path(name), RESULT in files
