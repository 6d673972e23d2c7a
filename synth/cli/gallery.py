"""The console script ``synth-gallery``: one HTML page over all runs below some folders."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from synth.cli.parser import Parser, listed
from synth.cli.streams import guarded_streams
from synth.errors import InputError, printable
from synth.gallery.finding import find_runs, is_run
from synth.gallery.overview import Overview
from synth.record.interrupt import signals_raised
from synth.record.parquet import is_available

SECONDS = 2.0  # between two looks at the folders
LONGEST = 255  # bytes of a name, on all usual file systems


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page and prints one line about it, or with ``--watch`` one each time.

    Args:
        arguments: the words of the command line; those of the process where None.

    Returns:
        The exit code: 0, or 2 where the user has to change something.
    """
    with guarded_streams("synth-gallery"):
        try:
            options = _parser().parse_args(arguments)
            paths = [Path(os.path.expanduser(path)) for path in options.paths]
            if options.watch:
                _watch(paths, options)
            else:
                print(_build(paths, options))
        except InputError as error:
            print(f"synth-gallery: {error}", file=sys.stderr)
            return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="synth-gallery",
        description="Build one HTML page over every finished run under the folders, and beside it "
        "runs.csv and runs.parquet, a row a picture. The page opens from disk.",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a run folder, or any folder above runs"
    )
    parser.add_argument(
        "--out",
        "--output",
        dest="output",
        metavar="FILE",
        help="where the page goes (default: index.html in PATH)",
    )
    parser.add_argument(
        "--title", metavar="TEXT", help="the page's heading (default: the folder's name)"
    )
    parser.add_argument(
        "--inline",
        action="store_true",
        help="hold the pictures in the page itself, to send it as one file; large ones smaller",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="write the page again whenever a run is finished, until Ctrl-C",
    )
    return parser


def _build(paths: Sequence[Path], options: argparse.Namespace) -> str:
    """Writes the page; gives the line that says where it is, what is on it and what was skipped."""
    search = find_runs(paths)
    where = ", ".join(str(path) for path in paths)
    unfinished = listed("unfinished", [str(folder) for folder in search.unfinished])
    if not search.finished:
        raise InputError(f"{where}: no finished run here (a folder with result.json){unfinished}.")
    overview = Overview(paths, _page(paths, options.output), options.title, options.inline)
    overview.update(search)
    if not overview.entries:
        raise InputError(f"{where}: no run can be read{listed('skipped', overview.skipped)}.")
    overview.write()
    names = [*overview.skipped, *(line for entry in overview.entries for line in entry.problems)]
    skipped = listed("skipped", names) or ", 0 skipped"
    return printable(f"{_counts(overview)}{skipped}{unfinished}{_no_parquet()}")


def _watch(paths: Sequence[Path], options: argparse.Namespace) -> None:
    """Writes the page whenever runs are added, until Ctrl-C; finished ones are read once."""
    overview = Overview(paths, _page(paths, options.output), options.title, options.inline)
    note = _no_parquet()
    with signals_raised():
        try:
            if not find_runs(paths).finished:
                _say(f"{overview.page}: waits for the first finished run; Ctrl-C ends it")
            while True:
                changes = overview.update()
                if changes and not overview.entries:
                    gone = ", none is left: the page stays as it was" if changes.removed else ""
                    _say(f"{_counts(overview)}{listed('skipped', changes.skipped)}{gone}")
                if changes and overview.entries:
                    overview.write(growing=True)
                    names = [folder.name for folder in changes.added]
                    gone = f", {changes.removed:,} removed" if changes.removed else ""
                    news = f"{listed('added', names)}{listed('skipped', changes.skipped)}{gone}"
                    _say(f"{_counts(overview)}{news}{note}")
                    note = ""
                time.sleep(SECONDS)
        except KeyboardInterrupt:
            _say(f"{_counts(overview)}, no longer watched")


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _counts(overview: Overview) -> str:
    """``runs/index.html: 3 runs, 12 pictures``."""
    pictures = sum(entry.pictures for entry in overview.entries)
    runs = _counted(len(overview.entries), "run")
    return f"{overview.page}: {runs}, {_counted(pictures, 'picture')}"


def _no_parquet() -> str:
    return "" if is_available() else ", no runs.parquet (pip install synth[datasets])"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _page(paths: Sequence[Path], output: str | None) -> Path:
    """Where the page goes: `output`, or index.html in the first folder."""
    if output is None:
        if len(paths) > 1 and is_run(paths[0]):
            raise InputError(
                f"{paths[0]} keeps its own page; name another for all: --out FILE.html."
            )
        return paths[0] / "index.html"
    page = Path(os.path.expanduser(output))
    if not output:
        raise InputError("--out: empty; name a page, such as --out compare.html.")
    longest = max(len(os.fsencode(part)) for part in page.parts)
    if longest > LONGEST:
        raise InputError(f"--out {output[:40]}…: a name of {longest:,} bytes is too long.")
    if page.is_dir():
        return page / "index.html"
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--out {output}: a page's name ends in .html, for example {page.name}.html."
        )
    return page


if __name__ == "__main__":
    sys.exit(main())
