"""Names, WordNet synsets and ImageNet indices of the class folders of a training set."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path

from synth.errors import InputError
from synth.files import open_file
from synth.training.classifier.weights import ClassName

WNID = re.compile(r"n\d{8}")  # a WordNet synset: n02123045
COLUMNS = ("wnid", "imagenet_index", "name")


def class_names(
    folders: Sequence[str], table: Path | None, rows: Mapping[str, ClassName]
) -> tuple[ClassName, ...]:
    """The classes of class folders.

    Args:
        folders: names of the folders, in label order.
        table: the file that `rows` were read from, for messages.
        rows: classes by the name of their folder. Folders that are not listed there are named by
            the folder.

    Returns:
        The classes, in the order of `folders`.

    Raises:
        InputError: the table names none of the folders.
    """
    if table is not None and not rows.keys() & set(folders):
        raise InputError(
            f"names={table}: its wnid column has none of the class folders, such as {folders[0]}."
        )
    return tuple(
        rows.get(folder) or ClassName(folder, folder if WNID.fullmatch(folder) else None)
        for folder in folders
    )


def read_names(table: Path) -> dict[str, ClassName]:
    """The classes in a TSV file with the columns ``wnid imagenet_index name``, by their wnid.

    Raises:
        InputError: it cannot be read, lacks a column, or has a line of another form.
    """
    with TextIOWrapper(open_file(table, f"names={table}"), "utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        try:
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"names={table}: no column {', '.join(missing)}; "
                    f"the header must be: {' '.join(COLUMNS)}."
                )
            return {
                row["wnid"]: ClassName(row["name"], row["wnid"], _index(row["imagenet_index"]))
                for row in reader
            }
        except UnicodeDecodeError as error:
            raise InputError(f"names={table}: no UTF-8 text; give a TSV file.") from error
        except (ValueError, TypeError, csv.Error) as error:
            raise InputError(
                f"names={table}: line {reader.line_num} is not 'wnid, number, name' ({error})."
            ) from error


def _index(text: str) -> int | None:
    return int(text) if text else None
