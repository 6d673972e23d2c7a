"""The console script ``synth-gallery``: one HTML page over all runs below some folders."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from synth.cli.parser import Parser, listed
from synth.cli.streams import guarded_streams
from synth.errors import InputError, printable
from synth.gallery.finding import find_runs, is_run
from synth.gallery.page import read_runs, write_page


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page and prints one line about it.

    Args:
        arguments: the words of the command line; those of the process where None.

    Returns:
        The exit code: 0, or 2 where the user has to change something.
    """
    with guarded_streams("synth-gallery"):
        try:
            options = _parser().parse_args(arguments)
            paths = [Path(os.path.expanduser(path)) for path in options.paths]
            print(_build(paths, options.output, options.title))
        except InputError as error:
            print(f"synth-gallery: {error}", file=sys.stderr)
            return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="synth-gallery",
        description="Build one HTML page over every finished run under the folders. "
        "It opens from disk.",
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
    """Writes the page; gives the line that says where it is, what is on it and what was skipped."""
    search = find_runs(paths)
    where = ", ".join(str(path) for path in paths)
    unfinished = listed("unfinished", [str(folder) for folder in search.unfinished])
    if not search.finished:
        raise InputError(f"{where}: no finished run here (a folder with result.json){unfinished}.")
    page = _page(paths, output)
    runs, skipped = read_runs(search.finished)
    reasons = [entry.reason for entry in skipped]
    if not runs:
        raise InputError(f"{where}: no run can be read{listed('skipped', reasons)}.")
    write_page(runs, page, title)
    names = [reason.rstrip(".") for reason in reasons]
    names += [f"{picture.path}: {picture.problem}" for run in runs for picture in run.missing]
    items = [item for run in runs for item in run.items]
    pictures = sum(1 for item in items if item.picture and not item.picture.problem)
    counts = f"{_counted(len(runs), 'run')}, {_counted(pictures, 'picture')}"
    return printable(f"{page}: {counts}{listed('skipped', names) or ', 0 skipped'}{unfinished}")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _page(paths: Sequence[Path], output: str | None) -> Path:
    """Where the page goes: `output`, or index.html in the first folder."""
    if output is None:
        if len(paths) > 1 and is_run(paths[0]):
            raise InputError(
                f"{paths[0]} keeps its own page; name another for all: --output FILE.html."
            )
        return paths[0] / "index.html"
    page = Path(os.path.expanduser(output))
    if page.is_dir():
        return page / "index.html"
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--output {output}: a page's name ends in .html, for example {page.name}.html."
        )
    return page


if __name__ == "__main__":
    sys.exit(main())
