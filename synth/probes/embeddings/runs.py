"""The pictures of earlier runs, which an embedding sets among natural ones."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.errors import InputError
from synth.files import path_of, read_text
from synth.record.result import MALFORMED, RESULT, Result


@dataclass(frozen=True)
class RunPicture:
    """A picture of a run.

    Attributes:
        path: of its file.
        target: what was searched for: a class's name, as a rule; empty for none.
        recipe: of the run.
    """

    path: Path
    target: str
    recipe: str


def run_pictures(runs: str | Path | Sequence[str | Path]) -> list[RunPicture]:
    """The pictures of all finished runs at or below some folders, in the order of their paths.

    Args:
        runs: folders, or patterns such as ``runs/*``.

    Raises:
        InputError: there is no finished run, one is damaged, or none has pictures.
    """
    sources = [runs] if isinstance(runs, str | Path) else list(runs)
    folders: dict[Path, None] = {}
    for source in sources:
        path = path_of(source, "runs")
        places = [path] if path.exists() else [Path(p) for p in glob.glob(str(path))]
        results = {result.parent for place in places for result in place.rglob(RESULT)}
        if not results:
            raise InputError(f"runs={source}: there is no finished run; name a run folder.")
        folders |= dict.fromkeys(sorted(results))
    pictures = [picture for folder in folders for picture in _of_run(folder)]
    if not pictures:
        raise InputError(f"runs={', '.join(map(str, sources))}: these runs made no pictures.")
    return pictures


def _of_run(folder: Path) -> list[RunPicture]:
    try:
        result = Result.from_dict(json.loads(read_text(folder / RESULT)))
    except (OSError, *MALFORMED) as error:
        raise InputError(f"runs={folder}: its {RESULT} is damaged; leave this run out.") from error
    recipe = result.recipe or folder.absolute().name
    return [
        RunPicture(_inside(folder, item.file), item.target or "", recipe)
        for item in result.items
        if item.file is not None
    ]


def _inside(folder: Path, file: str) -> Path:
    """The path of a picture that a record names; records are data and name no other files."""
    path = folder / file
    if "\0" in file or not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"runs={folder}: {file} is outside of the run; leave this run out.")
    return path
