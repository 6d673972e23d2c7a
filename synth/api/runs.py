"""Finished runs as one table: `load_runs`."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from synth.api.result import Result, frame_of
from synth.errors import InputError
from synth.gallery.finding import find_runs


class Runs(Sequence[Result]):
    """Results of run folders, in the order of their paths.

    Args:
        results: of the runs.
        skipped: why other folders were left out, a line each.
    """

    def __init__(self, results: Sequence[Result], skipped: Sequence[str] = ()) -> None:
        self.results = list(results)
        self.skipped = list(skipped)

    def __getitem__(self, place: Any) -> Any:
        return self.results[place]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def frame(self) -> Any:
        """All items as one table of pandas, a row each.

        Raises:
            InputError: where pandas is not installed.
        """
        return frame_of(self.results)

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} folders left out" if self.skipped else ""
        return f"<{len(self)} runs{left_out}>"


def load_runs(*folders: str | Path) -> Runs:
    """The finished runs at or below some folders.

    Folders that are damaged are left out; `Runs.skipped` says which, and why.

    Args:
        folders: run folders, folders above them, or patterns such as ``runs/**``.

    Raises:
        InputError: where there is no finished run.

    Example:
        >>> synth.load_runs("runs/").frame().groupby("recipe").confidence.mean()
    """
    places = [place for folder in folders for place in places_of(folder)]
    results, skipped = [], []
    for folder in sorted(set(find_runs(places).finished)):
        try:
            results.append(Result.of_folder(folder))
        except InputError as error:
            skipped.append(str(error))
    if not results:
        raise InputError(
            f"{', '.join(map(str, folders))}: there is no finished run there; name a folder that "
            "holds runs, such as runs/."
        )
    return Runs(results, skipped)


def places_of(folder: str | Path) -> list[Path]:
    """The folders that a pattern stands for; those below another one are found with it."""
    text = str(folder)
    if not glob.has_magic(text) or Path(text).exists():
        return [Path(text)]
    return [
        Path(match) for match in sorted(glob.glob(text, recursive=True)) if Path(match).is_dir()
    ]
