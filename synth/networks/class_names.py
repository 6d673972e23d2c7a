"""Names of a network's classes: from a file, as a list, or ImageNet's."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.core.classes import Classes
from synth.errors import InputError
from synth.files import path_of, read_text, reason_of
from synth.networks import weights_io

IMAGENET = Path(__file__).parent / "imagenet.tsv"
WORD = "network.classes"


def classes_of(
    source: str | Path | Sequence[str] | Mapping[Any, Any] | Classes | int | None,
    names: Sequence[str] | None = None,
) -> Classes | None:
    """The classes that a user gives; those of `names`, if any, where he gives none.

    Args:
        source: a list of names, names by index, indices by name, or a file: a name a line, or JSON
            with one of these. ImageNet's ``imagenet_class_index.json`` is such a file.
        names: those that a checkpoint has.

    Raises:
        InputError: no such file, or one without names.
    """
    if source is None:
        return None if names is None else Classes(list(names))
    if isinstance(source, Classes):
        return source
    if isinstance(source, Mapping):
        return _checked(weights_io.names_of(dict(source)), source)
    if not isinstance(source, str | Path):
        if not isinstance(source, Iterable):
            return _checked(None, source)
        return Classes([str(name) for name in source])
    path = path_of(source, WORD)
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{WORD}={source}: {reason_of(error)}.") from error
    if path.suffix.lower() != ".json":
        return _checked([line.strip() for line in text.splitlines() if line.strip()], source)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    entries = list(value.values()) if isinstance(value, dict) else value
    if isinstance(entries, list) and all(_is_pair(entry) for entry in entries):
        named = _checked(weights_io.names_of([entry[1] for entry in entries]), source)
        return Classes(named.names, [entry[0] for entry in entries])
    return _checked(weights_io.names_of(value), source)


def imagenet(categories: Sequence[str]) -> Classes:
    """ImageNet's classes with their WordNet synsets; names alone where there are not 1,000."""
    with IMAGENET.open(encoding="utf-8") as file:
        synsets = [row["wnid"] for row in csv.DictReader(file, delimiter="\t")]
    if len(categories) != len(synsets):
        return Classes(list(categories))
    return Classes(list(categories), synsets, list(range(len(categories))))


def _is_pair(entry: object) -> bool:
    """Whether it is a synset and a name."""
    return (
        isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
    )


def _checked(names: Sequence[str] | None, source: object) -> Classes:
    if not names:
        raise InputError(
            f"{WORD}={source}: no names of classes; write a name a line, in the order of the "
            "outputs, or JSON with a list of them."
        )
    return Classes(list(names))
