"""The base of the layouts that a data set can be written in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from synth.datasets.columns import KINDS, MEANINGS
from synth.datasets.survey import Example, Survey
from synth.record.result import Json

DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


class Layout(ABC):
    """Files of a data set, written picture by picture.

    Args:
        folder: where they go; it exists and is empty.
        survey: of the pictures.
        shard: bytes of a shard, about; a layout without shards has no use for it.

    Attributes:
        bytes: of the pictures' files written so far, by split.
        kind: for Croissant, the type of the files that hold the records.
        loader: how Hugging Face calls the layout.
    """

    kind: str
    loader: str

    def __init__(self, folder: Path, survey: Survey, shard: int) -> None:
        self.folder = folder
        self.survey = survey
        self.shard = shard
        self.bytes = dict.fromkeys(survey.counts, 0)

    @abstractmethod
    def add(self, example: Example) -> None:
        """Writes a picture and its record."""

    @abstractmethod
    def close(self) -> None:
        """Ends the files."""

    @property
    @abstractmethod
    def patterns(self) -> Mapping[str, str]:
        """Of each split a pattern of its files, relative to the folder."""

    @property
    @abstractmethod
    def records(self) -> Sequence[Path]:
        """The files that hold the records, once all are written, relative to the folder."""

    @property
    @abstractmethod
    def features(self) -> Sequence[Mapping[str, Json]]:
        """Columns and types as ``datasets.load_dataset`` gives them, for the head of the card."""

    @property
    @abstractmethod
    def code(self) -> str:
        """Lines of Python that read the data set, with ``FOLDER`` for where it is."""

    @abstractmethod
    def fields(self) -> list[tuple[str, str, dict[str, Json]]]:
        """For Croissant, of each column its name, its type and where it is in the records."""

    def class_label(self) -> dict[str, Json]:
        """The type of the column of classes, for the head of the card."""
        names = {str(number): name for number, name in enumerate(self.survey.classes)}
        return {"class_label": {"names": names}}


def dtype_of(column: str) -> str:
    """The type of a column as Hugging Face calls it."""
    return DTYPES[KINDS[column]]


def meaning_of(column: str) -> str:
    """A column in a few words."""
    from synth.datasets.columns import COLUMNS

    meanings = {entry.name: entry.meaning for entry in COLUMNS}
    return meanings.get(column) or MEANINGS[column]
