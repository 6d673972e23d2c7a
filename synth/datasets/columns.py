"""What a record of a data set says of a picture: one column a value, of one type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        read: the value of an item of a run; None where it has none.
    """

    name: str
    kind: type
    meaning: str
    read: Callable[[Run, Item], Json]

    def value(self, run: Run, item: Item) -> Value:
        """The value, of the column's type; None where the item has none."""
        value = self.read(run, item)
        if self.kind is bool:
            return boolean(value)
        if self.kind is str:
            return words(value)
        amount = number(value)
        if amount is None or self.kind is float:
            return amount
        # a whole number of 64 bits, which tables hold
        return int(amount) if amount == int(amount) and abs(amount) < 2**53 else None


def _of_item(name: str) -> Callable[[Run, Item], Json]:
    return lambda run, item: item.record.get(name)


COLUMNS = (
    Column("recipe", str, "the recipe of the run", lambda run, item: run.recipe),
    Column(
        "contender", str, "in a comparison, whose picture it is", lambda _, item: item.contender
    ),
    Column("search", str, "how the picture was searched for", lambda _, item: item.search),
    Column("encoding", str, "what genomes are decoded by", lambda _, item: item.encoding),
    Column("network", str, "the network that was read", lambda run, _: run.network),
    Column(
        "network_sha256",
        str,
        "SHA-256 of its weights",
        lambda run, _: run.mapping("network").get("sha256"),
    ),
    Column("target_index", int, "index of the class among the network's", _of_item("target_index")),
    Column("niche", str, "cell of an archive of elites", lambda _, item: item.niche),
    Column("predicted", str, "class that the network predicts", lambda _, item: item.predicted),
    Column("predicted_confidence", float, "its probability", _of_item("predicted_confidence")),
    Column("confidence", float, "probability of the target", lambda _, item: item.confidence),
    Column("success", bool, "whether the run's criterion is met", lambda _, item: item.success),
    Column("score", float, "final value of the objective", lambda _, item: item.score),
    Column("seed", int, "seed of the run", _of_item("seed")),
    Column("steps", int, "steps of the search", _of_item("steps")),
    Column("forwards", int, "images passed forward", _of_item("forwards")),
    Column("backwards", int, "images passed backward", _of_item("backwards")),
    Column("seconds", float, "until the picture was finished", lambda _, item: item.seconds),
    Column("linf", float, "largest change of a pixel, of 1", _of_item("linf")),
    Column("l2", float, "Euclidean norm of the change", _of_item("l2")),
    Column(
        "natural_distance", float, "distance from natural pictures", _of_item("natural_distance")
    ),
    Column(
        "transfer_confidence", float, "what a second network says", _of_item("transfer_confidence")
    ),
    Column("transfer_success", bool, "whether it agrees", _of_item("transfer_success")),
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


def values_of(run: Run, item: Item) -> dict[str, Value]:
    """What the run says of an item, by column; the whole record as JSON under ``record``."""
    values = {column.name: column.value(run, item) for column in COLUMNS}
    return {**values, "record": dumps(item.record)}
