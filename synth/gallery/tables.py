"""Texts and tables above the pictures: the summary line, findings, contenders, runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from synth.gallery.cards import UNTITLED, Card
from synth.gallery.folder import Item, Record, Run
from synth.gallery.numerals import (
    NOTHING,
    anything,
    duration,
    number,
    passes,
    percent,
    plain,
    words,
)
from synth.gallery.old_words import current_encoding
from synth.metrics import intervals
from synth.record.result import Json

LARGE = frozenset(("items", "success", "median_confidence"))  # in large type at the head of a run
# columns for what only some comparisons measure, with their headings
OPTIONAL_COLUMNS = {
    "transfer_success": "Transferred",
    "transfer_confidence": "Transfer confidence",
    "natural_distance": "Natural distance",
    "passes_to_success": "Passes to success",
}
ROWS = 500  # of a table of records; result.json has the rest
CELL = 60  # characters in a cell of a table of records
Fact = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: its first cell, a heading.
        url: the page of a run; empty where there is none.
        cells: the other cells.
    """

    name: str
    url: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: what it is.
        headings: one a column, the first for the names of the rows.
        rows: its rows.
        numeric: whether a column is right-aligned, for all but the first.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True)
class TargetRow:
    """One target of a comparison: the cards of every contender, in the contenders' order."""

    target: str
    cells: tuple[tuple[Card, ...], ...]


def lede_of(run: Run) -> str:
    """The line under the title: number of pictures, methods; of contenders, their successes."""
    empty = sum(item.empty for item in run.items)
    parts = []
    if run.items:
        pictures = len(run.items) - empty
        parts.append(f"{pictures:,} picture{'s' if pictures != 1 else ''}")
    if empty:
        parts.append(f"{empty:,} empty {'niches' if empty != 1 else 'niche'}")
    # other runs have their successes in large type
    if _are_compared(run) and (successes := _successes(run.items, "of")):
        parts.append(f"{successes} succeeded")
    if not run.contenders:
        parts += [part for part in (" on ".join(run.method), run.network) if part]
    elif run.network:
        parts.append(run.network)
    if not run.items and run.seconds is not None:
        parts.append(duration(run.seconds))
    if run.text("status") == "interrupted":
        parts.append("interrupted")
    return " · ".join(parts)


def _successes(items: Sequence[Item], between: str) -> str:
    """``3 of 4``: the successes among the items that have a verdict; empty where none has."""
    verdicts = [item.success for item in items if item.success is not None]
    return f"{sum(verdicts):,} {between} {len(verdicts):,}" if verdicts else ""


def _mean_passes(items: Sequence[Item]) -> str:
    counts = [item.passes for item in items if item.passes is not None]
    return plain(round(statistics.mean(counts))) if counts else ""


def facts_of(run: Run) -> list[Fact]:
    """The numbers in large type at the head of a run; none for a comparison, which has a table."""
    if run.contenders or not run.items:
        return []
    confidences = [item.confidence for item in run.items if item.confidence is not None]
    median = percent(statistics.median(confidences)) if confidences else ""
    facts = [
        ("succeeded", _successes(run.items, "/")),
        ("median confidence", median),
        ("passes per picture", _mean_passes(run.items)),
        ("time", duration(run.seconds) if run.seconds is not None else ""),
    ]
    return [fact for fact in facts if fact[1]]


def findings_of(run: Run) -> list[Fact]:
    """The findings that the head of a run does not show, as (name, value).

    A finding that is an object gives one line for each of its entries.
    """
    lines: list[Fact] = []
    for name, value in run.mapping("findings").items():
        if _table_records(value) or (name in LARGE and run.items and not run.contenders):
            continue
        if value is None and name == "mean_confidence":  # pictures of no class have none
            continue
        if isinstance(value, dict) and value:
            lines += [
                (f"{_spaced(name)} · {_spaced(key)}", anything(part)) for key, part in value.items()
            ]
        else:
            lines.append((_spaced(name), anything(value)))
    return lines


def contender_table(run: Run) -> Table | None:
    """The contenders of a comparison: success, confidence, and network passes.

    None where they have none of these, as in a duel, whose numbers are findings.
    """
    if not _are_compared(run):
        return None
    optional = [
        column
        for column in OPTIONAL_COLUMNS
        if any(number(row.get(column)) is not None for row in run.contenders.values())
    ]
    rows = tuple(
        Row(name, "", _contender_cells(row, optional)) for name, row in run.contenders.items()
    )
    headings = (
        "Contender",
        "Method",
        "Succeeded",
        "Median confidence",
        "Mean confidence",
        *(OPTIONAL_COLUMNS[column] for column in optional),
        "Passes per item",
        "Forward passes",
        "Backward passes",
        "Time",
    )
    return Table("Contenders", headings, rows, (False, *[True] * (7 + len(optional))))


def record_tables(run: Run) -> list[Table]:
    """A table for each list of records in the result, such as the layers of a network."""
    tables = []
    for name, value in (*run.result.items(), *run.mapping("findings").items()):
        records = _table_records(value)
        if name in ("items", "figures") or not records:
            continue
        headings = list(dict.fromkeys(key for record in records for key in record))
        first, rest = headings[0], headings[1:]
        rows = tuple(
            Row(
                anything(record.get(first)),
                "",
                tuple(_cell(record.get(key)) for key in rest),
            )
            for record in records[:ROWS]
        )
        numeric = tuple(any(_is_number(record.get(key)) for record in records) for key in rest)
        title = _spaced(name).capitalize()
        tables.append(Table(title, tuple(map(_spaced, headings)), rows, numeric))
    return tables


def _are_compared(run: Run) -> bool:
    """Whether the contenders have numbers of their own, and one criterion of success."""
    return any("items" in row for row in run.contenders.values())


def _cell(value: Json) -> str:
    """A value in a table of records; a number that has an interval is written with it."""
    return intervals.text(value) if _has_interval(value) else anything(value, CELL)


def _is_number(value: Json) -> bool:
    return number(value) is not None or _has_interval(value)


def _has_interval(value: Json) -> bool:
    return isinstance(value, dict) and "interval" in value


def _table_records(value: Json) -> list[Record]:
    """`value` where it is a list of non-empty objects, else an empty list."""
    if isinstance(value, list) and all(isinstance(row, dict) and row for row in value):
        return value
    return []


def target_rows(cards: Sequence[Card], contenders: Sequence[str]) -> list[TargetRow]:
    """Cards side by side: a row a target, in order of appearance; without targets, by place."""
    rows: dict[tuple[str, int], dict[str, list[Card]]] = {}
    places: dict[str, int] = {}
    for card in cards:
        contender = card.item.contender
        place = places[contender] = places.get(contender, -1) + 1
        key = (card.target, place if card.target == UNTITLED else -1)
        rows.setdefault(key, {}).setdefault(contender, []).append(card)
    return [
        TargetRow(target, tuple(tuple(by_name.get(name, ())) for name in contenders))
        for (target, _), by_name in rows.items()
    ]


def _contender_cells(row: Record, optional: Sequence[str]) -> tuple[str, ...]:
    items = number(row.get("items"))
    successes = number(row.get("success"))
    spent = passes(row)
    method = (words(row.get("search")), current_encoding(words(row.get("encoding"))))
    return (
        " on ".join(filter(None, method)) or NOTHING,
        f"{plain(successes)} / {plain(items)}" if successes is not None else NOTHING,
        percent(row.get("median_confidence")),
        percent(row.get("mean_confidence")),
        *(_optional_cell(column, row.get(column), items) for column in optional),
        plain(spent / items if spent is not None and items else None),
        plain(row.get("forwards")),
        plain(row.get("backwards")),
        duration(row.get("seconds")),
    )


def _optional_cell(column: str, value: Json, items: float | None) -> str:
    """A cell of OPTIONAL_COLUMNS; an integer transfer success is a count, any other a share."""
    if column == "transfer_success" and isinstance(value, int) and items:
        return f"{plain(value)} / {plain(items)}"
    if column in ("transfer_success", "transfer_confidence"):
        return percent(value)
    return plain(value, 3) if column == "natural_distance" else plain(value)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
