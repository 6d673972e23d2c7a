"""The tables beside a page of many runs: ``runs.csv`` and ``runs.parquet``, a row an item.

A text of a CSV file that a spreadsheet would take for a formula begins with an apostrophe there.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from synth.errors import InputError, printable
from synth.files import open_regular
from synth.gallery.entries import Entry, method_of_row
from synth.record.atomic import beside, remove_left_over
from synth.record.parquet import ParquetFile, columns_of, is_available

CSV, PARQUET = "runs.csv", "runs.parquet"
COLUMNS: dict[str, type] = {
    "recipe": str,
    "run": str,
    "method": str,
    "search": str,
    "encoding": str,
    "network": str,
    "class": str,
    "niche": str,
    "seed": str,
    "criterion": str,
    "success": bool,
    "confidence": float,
    "predicted": str,
    "score": float,
    "passes": float,
    "passes_to_success": float,
    "seconds": float,
    "natural_distance": float,
    "linf": float,
    "l2": float,
    "transfer_network": str,
    "transfer_success": bool,
    "transfer_confidence": float,
    "picture": str,
    "command": str,
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one
GROUP = 10_000  # rows of a row group
OWN = ("recipe", "run", "method")  # the first columns of our own tables, of any version


def write_tables(entries: Sequence[Entry], folder: Path) -> list[Path]:
    """Writes the tables into `folder`; Parquet only where pyarrow is installed.

    Raises:
        InputError: a file cannot be written, or is another program's.
    """
    written = paths_of(folder)
    for path in written:
        check_own(path)
    _write(folder / CSV, lambda partial: _write_csv(entries, folder, partial))
    if is_available():
        _write(folder / PARQUET, lambda partial: _write_parquet(entries, folder, partial))
    return written


def paths_of(folder: Path) -> list[Path]:
    """Where the tables of a folder are."""
    return [folder / CSV, *([folder / PARQUET] if is_available() else [])]


def check_own(path: Path) -> None:
    """Raises InputError where a table stands that this package has not written."""
    try:
        with open_regular(path) as file:
            start = file.read(32)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: cannot be overwritten ({error.strerror}).") from error
    if path.name == PARQUET:
        own = columns_of(path)[: len(OWN)] == list(OWN)
    else:
        own = start.startswith(",".join((*OWN, "")).encode())
    if start and not own:
        raise InputError(f"{path}: another program's file; write the page elsewhere by --out.")


def rows_of(entries: Sequence[Entry], folder: Path) -> Iterator[dict[str, Any]]:
    """The rows, by column; paths are relative to `folder`."""
    start = os.path.realpath(folder)
    for entry in entries:
        where = _relative(os.path.realpath(entry.folder), start)
        for row in entry.rows():
            method, search, encoding = method_of_row(row)
            file = unquote(str(row["file"]), errors="surrogateescape")
            yield {
                **{name: row.get(name) for name in COLUMNS},
                "recipe": entry.recipe,
                "run": printable(where),
                "method": method,
                "search": search,
                "encoding": encoding,
                "class": row["target"],
                "picture": printable(f"{where}/{file}") if file else "",
                "command": printable(entry.command),
            }


def safe_text(text: str) -> str:
    """A text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _relative(path: str, start: str) -> str:
    try:
        return os.path.relpath(path, start).replace(os.sep, "/")
    except ValueError:  # another drive
        return path


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Writes a file beside `path` and renames it over `path`; nothing is left where it fails."""
    partial = beside(path)
    try:
        remove_left_over(path)
        try:
            write(partial)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error


def _write_csv(entries: Sequence[Entry], folder: Path, path: Path) -> None:
    with open(path, "wb") as binary:
        file = io.TextIOWrapper(binary, "utf-8", errors="backslashreplace", newline="")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows_of(entries, folder):
            writer.writerow([_cell(row[name]) for name in COLUMNS])
        file.flush()
        os.fsync(binary.fileno())
        file.detach()


def _cell(value: object) -> object:
    """A value as a cell of CSV; of text, what no spreadsheet takes for a formula."""
    if isinstance(value, str):
        return safe_text(value)
    return str(value).lower() if isinstance(value, bool) else value


def _write_parquet(entries: Sequence[Entry], folder: Path, path: Path) -> None:
    dtypes = {str: "string", float: "float64", bool: "bool"}
    features = {name: {"dtype": dtypes[kind], "_type": "Value"} for name, kind in COLUMNS.items()}
    file = ParquetFile(path, features)
    try:
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for row in rows_of(entries, folder):
            for name, kind in COLUMNS.items():
                value = row[name]
                columns[name].append(float(value) if kind is float and value is not None else value)
            if len(columns["recipe"]) == GROUP:
                file.write(columns)
                columns = {name: [] for name in COLUMNS}
        if columns["recipe"]:
            file.write(columns)
    finally:
        file.close()
