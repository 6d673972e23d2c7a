"""Takes paths that a user named; gives the run folders under them, finished and unfinished apart."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.errors import InputError

RESULT, STEPS = "result.json", "steps.jsonl"
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
class Found:
    """Run folders in the order of their names: `finished` hold a result, `unfinished` only steps."""

    finished: tuple[Path, ...]
    unfinished: tuple[Path, ...]


def find_runs(paths: Sequence[Path]) -> Found:
    """Every run folder at or under `paths`, each once; raises InputError for a path that is not a folder."""
    finished: dict[str, Path] = {}
    unfinished: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise InputError(
                f"{path}: no such folder. Name a folder that holds runs, such as runs/."
            )
        if not path.is_dir():
            raise InputError(
                f"{path}: a file where a folder is meant; name the run folder or one above it."
            )
        for folder, is_finished in _walk(path):
            (finished if is_finished else unfinished).setdefault(os.path.realpath(folder), folder)
    return Found(tuple(finished.values()), tuple(unfinished.values()))


def is_run(folder: Path) -> bool:
    """Whether `folder` is itself a finished run."""
    return (folder / RESULT).is_file()


def _walk(top: Path) -> Iterator[tuple[Path, bool]]:
    for name, folders, files in os.walk(top):
        run = RESULT in files or STEPS in files
        # Thousands of pictures lie in images/, and no run does; hidden folders are other programs'.
        left_out = PICTURE_FOLDERS if run else ()
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and one not in left_out
        )
        if run:
            yield Path(name), RESULT in files
