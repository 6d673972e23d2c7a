"""What a record of a data set says of a picture: one column a value, of one type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synth.gallery.folder import Item, Run
from synth.gallery.numerals import boolean, number, words
from synth.record.json_text import dumps
from synth.record.result import Json

Value = str | int | float | bool | None
UNLABELLED = "unlabelled"  # the class of a picture that was made for none


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: of the column.
        kind: str, int, float or bool.
        meaning: in a few words.
        read: the value of an item, or of a run; None where it has none.
    """

    name: str
    kind: type
    meaning: str
    read: Callable[[Any], Json]

    def value(self, source: Run | Item) -> Value:
        """The value, of the column's type; where there is none the empty text, else None."""
        value = self.read(source)
        if self.kind is bool:
            return boolean(value)
        if self.kind is str:
            return words(value)
        amount = number(value)
        if amount is None or self.kind is float:
            return amount
        # a whole number of 64 bits, which tables hold
        return int(amount) if amount == int(amount) and abs(amount) < 2**53 else None


def _entry(name: str) -> Callable[[Item], Json]:
    return lambda item: item.record.get(name)


OF_RUN = (
    Column("recipe", str, "the recipe of the run", lambda run: run.recipe),
    Column("network", str, "the network that was read", lambda run: run.network),
    Column(
        "network_sha256",
        str,
        "SHA-256 of its weights",
        lambda run: run.mapping("network").get("sha256"),
    ),
)
OF_ITEM = (
    Column("contender", str, "in a comparison, whose picture it is", lambda item: item.contender),
    Column("search", str, "how the picture was searched for", lambda item: item.search),
    Column("encoding", str, "what genomes are decoded by", lambda item: item.encoding),
    Column("target_index", int, "index of the class among the network's", _entry("target_index")),
    Column("niche", str, "cell of an archive of elites", lambda item: item.niche),
    Column("predicted", str, "class that the network predicts", lambda item: item.predicted),
    Column("predicted_confidence", float, "its probability", _entry("predicted_confidence")),
    Column("confidence", float, "probability of the target", lambda item: item.confidence),
    Column("success", bool, "whether the run's criterion is met", lambda item: item.success),
    Column("score", float, "final value of the objective", lambda item: item.score),
    Column("seed", int, "seed of the run", _entry("seed")),
    Column("steps", int, "steps of the search", _entry("steps")),
    Column("forwards", int, "images passed forward", _entry("forwards")),
    Column("backwards", int, "images passed backward", _entry("backwards")),
    Column("seconds", float, "until the picture was finished", lambda item: item.seconds),
    Column("linf", float, "largest change of a pixel, of 1", _entry("linf")),
    Column("l2", float, "Euclidean norm of the change", _entry("l2")),
    Column("natural_distance", float, "distance from natural pictures", _entry("natural_distance")),
    Column(
        "transfer_confidence", float, "what a second network says", _entry("transfer_confidence")
    ),
    Column("transfer_success", bool, "whether it agrees", _entry("transfer_success")),
)
# those of the data set itself, which are not read from a run
MEANINGS = {
    "id": "number of the picture, which names its file",
    "label": "what the picture was made for",
    "run": "number of the run, as the table below has it",
    "width": "in pixels",
    "height": "in pixels",
    "pixels_sha256": "SHA-256 of size and RGB pixels",
    "copy_of": "the first picture with the same pixels",
    "near_copy_of": "the first picture that is nearly the same",
    "genome_file": "where its genome is; empty for none",
    "genome_row": "the row of its genome there",
    "record": "the whole entry of the run's result, as JSON",
}
COLUMNS = (*OF_RUN, *OF_ITEM)
KINDS: dict[str, type] = {
    **dict.fromkeys(MEANINGS, str),
    "width": int,
    "height": int,
    "genome_row": int,
    **{column.name: column.kind for column in COLUMNS},
}
# in the order of the record; `label` comes first of all
ORDER = (
    "id",
    "label",
    "run",
    *(column.name for column in COLUMNS),
    *(name for name in MEANINGS if name not in ("id", "label", "run")),
)


def label_of(item: Item) -> str:
    """The class of a picture: the target, by its name."""
    return item.target or UNLABELLED


def values_of_run(run: Run) -> dict[str, Value]:
    """What a run says of all its items, by column."""
    return {column.name: column.value(run) for column in OF_RUN}


def values_of_item(item: Item) -> dict[str, Value]:
    """What a run says of an item, by column; the whole entry as JSON under ``record``."""
    values = {column.name: column.value(item) for column in OF_ITEM}
    return {**values, "record": dumps(item.record)}
