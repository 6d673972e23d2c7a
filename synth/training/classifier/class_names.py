"""Names, WordNet synsets and ImageNet indices of the class folders of a training set."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from synth.errors import InputError
from synth.training.classifier.weights import ClassName

WNID = re.compile(r"n\d{8}")  # a WordNet synset: n02123045
COLUMNS = ("wnid", "imagenet_index", "name")


def class_names(folders: Sequence[str], table: Path | None) -> tuple[ClassName, ...]:
    """The classes of class folders.

    Args:
        folders: names of the folders, in label order.
        table: TSV file with the columns ``wnid imagenet_index name``. Folders that it does not
            list, and all of them without a table, are named by the folder.

    Returns:
        The classes, in the order of `folders`.

    Raises:
        InputError: the table is missing, lacks a column, or names none of the folders.
    """
    rows = _rows(table) if table is not None else {}
    if table is not None and not rows.keys() & set(folders):
        raise InputError(
            f"names={table}: its wnid column has none of the class folders, such as {folders[0]}."
        )
    return tuple(
        rows.get(folder) or ClassName(folder, folder if WNID.fullmatch(folder) else None)
        for folder in folders
    )


def _rows(table: Path) -> dict[str, ClassName]:
    if not table.is_file():
        raise InputError(f"names={table}: there is no such file; give a TSV file or names=null.")
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(
                f"names={table}: no column {', '.join(missing)}; "
                f"the header must be: {' '.join(COLUMNS)}."
            )
        try:
            return {
                row["wnid"]: ClassName(row["name"], row["wnid"], _index(row["imagenet_index"]))
                for row in reader
            }
        except (ValueError, TypeError) as error:
            raise InputError(
                f"names={table}: line {reader.line_num} is not 'wnid, number, name' ({error})."
            ) from error


def _index(text: str) -> int | None:
    return int(text) if text else None
