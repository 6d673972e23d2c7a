"""The console script ``synth-export``: one data set of all runs below some folders."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synth.cli.parser import Parser, listed
from synth.cli.streams import guarded_streams
from synth.datasets.exporting import DROPS, LAYOUTS, SHARD, DataSet, export
from synth.datasets.splits import DEFAULT, splits_from
from synth.errors import InputError, printable
from synth.gallery.finding import find_runs
from synth.record.interrupt import signals_raised


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the data set and prints one line about it.

    Args:
        arguments: the words of the command line; those of the process where None.

    Returns:
        The exit code: 0, 2 where the user has to change something, 130 where he interrupts.
    """
    with guarded_streams("synth-export"):
        try:
            options = _parser().parse_args(arguments)
            with signals_raised():
                print(_export(options))
        except InputError as error:
            print(f"synth-export: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("synth-export: interrupted; nothing is left of it.", file=sys.stderr)
            return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    splits = ",".join(f"{name}={share:g}" for name, share in DEFAULT.items())
    parser = Parser(
        prog="synth-export",
        description="Write the pictures of every finished run under the folders as a data set, "
        "with a data card, Croissant metadata, genomes and lineages.",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="DIR", help="a run folder, or any folder above runs"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the data set goes")
    parser.add_argument(
        "--to",
        default="folder",
        metavar="LAYOUT",
        help="folder (class folders with metadata.jsonl), webdataset (tar files), or parquet",
    )
    parser.add_argument(
        "--splits",
        default=splits,
        metavar="SHARES",
        help=f"shares of the splits, drawn by the pictures' content (default: {splits})",
    )
    parser.add_argument(
        "--drop",
        default="none",
        metavar="COPIES",
        help=f"copies of pictures to leave out: {', '.join(DROPS)} (default: none)",
    )
    parser.add_argument(
        "--shard",
        type=int,
        default=SHARD,
        metavar="MB",
        help=f"size of a tar or Parquet file at most, about (default: {SHARD})",
    )
    parser.add_argument(
        "--licence",
        "--license",
        default="unknown",
        metavar="NAME",
        help="as Hugging Face names it, for example cc0-1.0",
    )
    parser.add_argument(
        "--title", metavar="TEXT", help="of the data set (default: the folder's name)"
    )
    parser.add_argument(
        "--embedding",
        metavar="NETWORK",
        help="with --to parquet: columns embedding, projection_x, projection_y by this network",
    )
    parser.add_argument("--layer", metavar="NAME", help="its layer (default: the penultimate one)")
    return parser


def _export(options: argparse.Namespace) -> str:
    """Writes the data set; gives the line that says where it is and what is in it."""
    if not options.out:
        raise InputError("--out: empty; write a folder.")
    if options.to not in LAYOUTS:  # before a network is loaded
        raise InputError(f"--to {options.to}: write one of {', '.join(LAYOUTS)}.")
    if options.layer and not options.embedding:
        raise InputError("--layer: of no network; write --embedding NETWORK too.")
    search = find_runs([Path(os.path.expanduser(path)) for path in options.paths])
    unfinished = [str(folder) for folder in search.unfinished]
    if not search.finished:
        where = ", ".join(options.paths)
        left = listed("unfinished", unfinished)
        raise InputError(f"{where}: no finished run here (a folder with result.json){left}.")
    written = export(
        search.finished,
        Path(os.path.expanduser(options.out)),
        options.to,
        splits=splits_from(options.splits),
        drop=options.drop,
        shard=options.shard,
        licence=options.licence,
        title=options.title,
        embed=_embedding(options.embedding, options.layer) if options.embedding else None,
    )
    return printable(_line(written) + listed("unfinished", unfinished))


def _embedding(network: str, layer: str | None) -> Callable[..., Any]:
    """The embedding by a network that is named as on the command line of ``synth``."""
    from synth.cli import complaints
    from synth.config.building import build
    from synth.config.calls import command_from, own_hydra
    from synth.config.composing import CONF
    from synth.datasets.embedding import Embedding

    words = ["recipe=layers", f"network={network}"]
    try:
        with own_hydra():
            command, _ = command_from(words, {})
            return Embedding(build(command.settings["network"], command.written), layer)
    except InputError:
        raise
    except Exception as error:
        line = complaints.line(error, CONF, words)
        if line is None:
            raise
        raise InputError(line) from None


def _line(written: DataSet) -> str:
    splits = ", ".join(f"{count:,} {name}" for name, count in written.splits.items())
    return (
        f"{written.folder}: {_counted(written.pictures, 'picture')} ({splits}) of "
        f"{_counted(len(written.classes), 'class', 'classes')} from "
        f"{_counted(written.runs, 'run')}, "
        f"{_counted(written.exact_copies, 'exact copy', 'exact copies')}, "
        f"{_counted(written.near_copies, 'near copy', 'near copies')}"
        f"{listed('skipped', written.skipped) or ', 0 skipped'}"
    )


def _counted(number: int, word: str, words: str = "") -> str:
    return f"{number:,} {word if number == 1 else words or word + 's'}"


if __name__ == "__main__":
    sys.exit(main())
