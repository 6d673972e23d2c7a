"""A data set of the pictures of runs, written whole or not at all.

Everything is written into a hidden folder beside the data set's own, ``.NAME.partial``, which is
renamed at the end: a folder of that name is finished. What a killed export left is removed by the
next one, which begins anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from synth.datasets import splits as split_shares
from synth.datasets.card import NO_LICENCE, data_card
from synth.datasets.croissant import croissant
from synth.datasets.folder import FolderLayout
from synth.datasets.genomes import save_genomes
from synth.datasets.layout import Layout
from synth.datasets.survey import Survey
from synth.datasets.tables import Embedded, ParquetLayout
from synth.datasets.webdataset import WebDatasetLayout
from synth.errors import InputError, nearest
from synth.files import reason_of
from synth.gallery.folder import Run
from synth.record import parquet, progress
from synth.record.atomic import DISK_FULL, report_full_disk, write_atomically
from synth.record.json_text import dumps
from synth.record.lock import Lock

LAYOUTS: dict[str, type[Layout]] = {
    "folder": FolderLayout,
    "webdataset": WebDatasetLayout,
    "parquet": ParquetLayout,
}
DROPS = ("none", "exact", "near")
CARD, CROISSANT = "README.md", "croissant.json"
SPOOL = "records.jsonl"
SHARD = 500  # megabytes


@dataclass(frozen=True)
class DataSet:
    """A data set that has been written.

    Attributes:
        folder: where it is.
        pictures: how many it has.
        splits: how many each of its splits has.
        classes: their names, in the order of the labels.
        runs: number of runs that they come from.
        exact_copies: number of exact copies, left out or kept.
        near_copies: number of near copies, left out or kept.
        skipped: why runs and pictures were left out, a line each.
    """

    folder: Path
    pictures: int
    splits: Mapping[str, int]
    classes: Sequence[str]
    runs: int
    exact_copies: int
    near_copies: int
    skipped: Sequence[str]


def export(
    folders: Sequence[Path | Run],
    out: Path,
    to: str = "folder",
    *,
    splits: Mapping[str, float] | None = None,
    drop: str = "none",
    shard: int = SHARD,
    licence: str = NO_LICENCE,
    title: str | None = None,
    embed: Callable[[Survey], Embedded] | None = None,
) -> DataSet:
    """Writes the pictures of runs as a data set.

    Args:
        folders: finished run folders, those that cannot be read are left out; or runs.
        out: the folder of the data set, which must not exist, or be empty.
        to: the layout, one of `LAYOUTS`.
        splits: shares of the splits by name; `split_shares.DEFAULT` by default.
        drop: which copies of pictures are left out: ``none``, ``exact``, ``near`` (both).
        shard: megabytes of a tar or Parquet file, about.
        licence: as Hugging Face names it, ``cc0-1.0``.
        title: of the data set; the name of `out` by default.
        embed: gives the vectors of the pictures and their places on a map, for Parquet.

    Raises:
        InputError: for a folder that exists, a full disk, or a value that cannot be used; nothing
            is then left behind.
    """
    shares = split_shares.checked(split_shares.DEFAULT if splits is None else splits)
    _check(out, to, drop, shard, embed is not None)
    title = title or out.resolve().name
    partial = out.parent / f".{out.name}.partial"
    try:
        survey = _export(folders, out, partial, to, shares, drop, shard, licence, title, embed)
    finally:
        with suppress(OSError):  # where another process works there
            partial.rmdir()
    return DataSet(
        folder=out,
        pictures=len(survey),
        splits=dict(survey.counts),
        classes=survey.classes,
        runs=len(survey.runs),
        exact_copies=survey.exact,
        near_copies=survey.near,
        skipped=survey.skipped,
    )


def _export(
    folders: Sequence[Path | Run],
    out: Path,
    partial: Path,
    to: str,
    shares: Mapping[str, float],
    drop: str,
    shard: int,
    licence: str,
    title: str,
    embed: Callable[[Survey], Embedded] | None,
) -> Survey:
    """Writes the data set into `partial` and renames it."""
    with Lock(partial), report_full_disk(out, "Nothing is left of it; make room and try again."):
        try:
            _remove_left_over(partial)
            survey = Survey(folders, shares, drop, partial / SPOOL)
            _write(survey, partial / "dataset", to, shard << 20, licence, title, embed)
            _check(out, to, drop, shard, embed is not None)  # perhaps of another process
            if out.is_dir():
                out.rmdir()
            (partial / "dataset").rename(out)
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            raise InputError(f"{out}: cannot be written ({reason_of(error)}).") from error
        finally:
            _remove_left_over(partial)
    return survey


def _check(out: Path, to: str, drop: str, shard: int, embedded: bool) -> None:
    """Raises InputError where the data set cannot be written."""
    if to not in LAYOUTS:
        raise InputError(f"to={to}: no such layout; write one of {', '.join(LAYOUTS)}.")
    if drop not in DROPS:
        raise InputError(f"drop={drop}: write one of {', '.join(DROPS)}.{nearest(drop, DROPS)}")
    if not 1 <= shard <= 1 << 20:
        raise InputError(f"shard={shard}: write 1 or more megabytes.")
    if to == "parquet":
        parquet.require("to=parquet")
    elif embedded:
        raise InputError(f"to={to}: embeddings are columns of Parquet files; write to=parquet.")
    try:
        exists = out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir())))
    except OSError as error:
        raise InputError(f"{out}: {reason_of(error)}.") from error
    if exists:
        raise InputError(f"{out}: exists already; name another folder, or delete that one first.")


def _write(
    survey: Survey,
    folder: Path,
    to: str,
    shard: int,
    licence: str,
    title: str,
    embed: Callable[[Survey], Embedded] | None,
) -> None:
    from synth import __version__

    folder.mkdir()
    layout: Layout
    if embed is not None:
        layout = ParquetLayout(folder, survey, shard, embed(survey))
    else:
        layout = LAYOUTS[to](folder, survey, shard)
    try:
        with progress.Steps("writing", len(survey)) as bar:
            for done, example in enumerate(survey.examples(), 1):
                layout.add(example)
                if not done % 100:
                    bar.at(done, "")
    finally:
        layout.close()
    for run in survey.runs:
        if run.genomes is not None and run.pictures:
            save_genomes(run.read(), run.genomes, folder / "genomes" / run.number)
    card = data_card(survey, layout, title, licence, __version__)
    write_atomically(folder / CARD, card.encode("utf-8", "backslashreplace"))
    metadata = dumps(croissant(survey, layout, title, licence), indent=1)
    write_atomically(folder / CROISSANT, metadata.encode())


def _remove_left_over(partial: Path) -> None:
    """Removes what an export that was killed, or failed, has written."""
    shutil.rmtree(partial / "dataset", ignore_errors=True)
    (partial / SPOOL).unlink(missing_ok=True)
