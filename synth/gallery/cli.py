"""Takes folders from the command line; leaves one page over all runs under them, and says so in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from synth.errors import InputError
from synth.gallery.finding import find_runs, is_run
from synth.gallery.page import read_runs, write_page

NAMED = 10  # names of skipped folders that the line spells out


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script ``synth-gallery``; gives 0, or 2 where the user has to change something."""
    options = _parser().parse_args(arguments)
    try:
        print(
            _build(
                [Path(path).expanduser() for path in options.paths], options.output, options.title
            )
        )
    except InputError as error:
        print(f"synth-gallery: {_one_line(str(error))}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="synth-gallery",
        description="Build one HTML page over every finished run under the folders. It opens from disk.",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a run folder, or any folder above runs"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="where the page goes (default: index.html in PATH)"
    )
    parser.add_argument(
        "--title", metavar="TEXT", help="the page's heading (default: the folder's name)"
    )
    return parser


def _build(paths: Sequence[Path], output: str | None, title: str | None) -> str:
    found = find_runs(paths)
    where = ", ".join(str(path) for path in paths)
    unfinished = _names("unfinished", [str(folder) for folder in found.unfinished])
    if not found.finished:
        raise InputError(f"{where}: no finished run here (a folder with result.json){unfinished}.")
    page = _page(paths, output)
    runs, skipped = read_runs(found.finished)
    if not runs:
        raise InputError(
            f"{where}: no run can be read{_names('skipped', [one.reason for one in skipped])}."
        )
    write_page(runs, page, title)
    names = [one.reason.rstrip(".") for one in skipped]
    names += [f"{picture.path}: {picture.problem}" for run in runs for picture in run.missing]
    pictures = sum(
        1 for run in runs for item in run.items if item.picture and not item.picture.problem
    )
    counts = f"{len(runs)} run{'s' * (len(runs) != 1)}, {pictures} picture{'s' * (pictures != 1)}"
    return _one_line(f"{page}: {counts}{_names('skipped', names) or ', 0 skipped'}{unfinished}")


def _page(paths: Sequence[Path], output: str | None) -> Path:
    if output is None:
        if len(paths) > 1 and is_run(paths[0]):
            raise InputError(
                f"{paths[0]} keeps its own page; name another for all: --output FILE.html."
            )
        return paths[0] / "index.html"
    page = Path(output).expanduser()
    if page.is_dir():
        return page / "index.html"
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--output {output}: a page's name ends in .html, for example {page.name}.html."
        )
    return page


def _names(word: str, names: Sequence[str]) -> str:
    """``, 2 skipped (a; b)``, or the empty string where there is none."""
    if not names:
        return ""
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f", {len(names)} {word} ({'; '.join(names[:NAMED])}{more})"


def _one_line(text: str) -> str:
    """File names may hold line ends and terminal codes; shown as text they do no harm."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


if __name__ == "__main__":
    sys.exit(main())
