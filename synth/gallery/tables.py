"""Takes runs; gives the texts and tables above the pictures: the summary line, findings, contenders, runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.gallery.cards import UNTITLED, Card
from synth.gallery.folder import Run
from synth.gallery.inline import link
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

FINDING_COLUMNS = 6
LARGE = frozenset(
    ("items", "success", "median_confidence")
)  # findings that stand large at a run's head
COUNTED = frozenset(
    ("items", "success", "forwards", "backwards")
)  # those that the table of runs counts itself
BEYOND = {  # what only a richer comparison tells of its contenders, with its heading
    "transfer_success": "Transferred",
    "transfer_confidence": "Transfer confidence",
    "natural_distance": "Natural distance",
    "passes_to_success": "Passes to success",
}
ROWS, CELL = 500, 60  # of a table of records; result.json has the rest
Fact = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """A row under its name; `url` is a run's own page, empty where there is none."""

    name: str
    url: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of texts under headings, the first for their names; `numeric` columns stand to the right."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True)
class TargetRow:
    """One target of a comparison: the cards of every contender, in the contenders' order."""

    target: str
    cells: tuple[tuple[Card, ...], ...]


def lede_of(runs: Sequence[Run]) -> str:
    """The line under the title: how many pictures, how many succeeded, what made them."""
    items = [item.record for run in runs for item in run.items]
    told = [item["success"] for item in items if isinstance(item.get("success"), bool)]
    empty = sum(item.empty for run in runs for item in run.items)
    parts = []
    if len(runs) > 1:
        parts.append(f"{len(runs):,} runs")
    if items:
        parts.append(f"{len(items) - empty:,} picture{'s' if len(items) - empty != 1 else ''}")
    if empty:
        parts.append(f"{empty:,} empty {'niches' if empty != 1 else 'niche'}")
    if told and (
        len(runs) > 1 or runs[0].contenders
    ):  # one run alone has it among its large figures
        parts.append(f"{sum(told):,} of {len(told):,} succeeded")
    if len(runs) == 1 and not runs[0].contenders:
        run = runs[0]
        method = " on ".join(part for part in (run.text("search"), run.text("encoding")) if part)
        parts += [part for part in (method, run.network) if part]
    elif len({run.network for run in runs}) == 1 and runs[0].network:
        parts.append(runs[0].network)
    if not items and len(runs) == 1 and number(runs[0].result.get("seconds")) is not None:
        parts.append(duration(runs[0].result["seconds"]))
    interrupted = sum(run.text("status") == "interrupted" for run in runs)
    if interrupted:
        parts.append("interrupted" if len(runs) == 1 else f"{interrupted:,} interrupted")
    return " · ".join(parts)


def facts_of(run: Run) -> list[Fact]:
    """The figures that stand large at the head of a run; none for a comparison, whose table has them."""
    if run.contenders or not run.items:
        return []
    records = [item.record for item in run.items]
    told = [record["success"] for record in records if isinstance(record.get("success"), bool)]
    sure = [value for record in records if (value := number(record.get("confidence"))) is not None]
    efforts = [value for record in records if (value := passes(record)) is not None]
    facts = []
    if told:
        facts.append(("succeeded", f"{sum(told):,} / {len(told):,}"))
    if sure:
        facts.append(("median confidence", percent(statistics.median(sure))))
    if efforts:
        facts.append(("passes a picture", plain(round(statistics.mean(efforts)))))
    if number(run.result.get("seconds")) is not None:
        facts.append(("time", duration(run.result["seconds"])))
    return facts


def findings_of(run: Run) -> list[Fact]:
    """What a run found and its head does not say, as (name, value); an object inside is opened, one line an entry."""
    lines: list[Fact] = []
    for name, value in run.mapping("findings").items():
        if _is_table(value) or (name in LARGE and run.items and not run.contenders):
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


def contender_table(run: Run) -> Table:
    """The contenders of a comparison with what each reached and spent, and what some of them were asked beyond."""
    held = {
        column
        for row in run.contenders.values()
        for column in BEYOND
        if number(row.get(column)) is not None
    }
    beyond = [column for column in BEYOND if column in held]
    rows = tuple(Row(name, "", _contender(row, beyond)) for name, row in run.contenders.items())
    headings = ("Contender", "Method", "Succeeded", "Median confidence", "Mean confidence")
    headings = (
        *headings,
        *(BEYOND[column] for column in beyond),
        "Passes an item",
        "Forwards",
        "Backwards",
        "Time",
    )
    return Table("Contenders", headings, rows, (False, *[True] * (7 + len(beyond))))


def runs_table(runs: Sequence[Run], page: Path) -> Table:
    """One row a run, with a column for each of the first findings that are numbers and not counted here anyway."""
    found = [
        pair
        for run in runs
        for pair in run.mapping("findings").items()
        if not (run.items and pair[0] in COUNTED)
    ]
    findings = list(dict.fromkeys(name for name, value in found if number(value) is not None))[
        :FINDING_COLUMNS
    ]
    rows = []
    for run in runs:
        own = run.folder / "index.html"
        told = [
            item.record["success"]
            for item in run.items
            if isinstance(item.record.get("success"), bool)
        ]
        efforts = [value for item in run.items if (value := passes(item.record)) is not None]
        cells = (
            run.network,
            " · ".join(part for part in (run.text("search"), run.text("encoding")) if part),
            f"{sum(not item.empty for item in run.items):,}",
            f"{sum(told):,} / {len(told):,}" if told else NOTHING,
            *(_finding(name, run.mapping("findings").get(name)) for name in findings),
            plain(round(statistics.mean(efforts))) if efforts else NOTHING,
            duration(run.result.get("seconds")),
        )
        name = run.folder.resolve().name
        state = f" ({run.text('status')})" if run.text("status") not in ("", "done") else ""
        rows.append(Row(name + state, link(own, page) if own.is_file() else "", cells))
    headings = ("Run", "Network", "Method", "Pictures", "Succeeded", *map(_spaced, findings))
    headings = (*headings, "Passes a picture", "Time")
    return Table("Runs", headings, tuple(rows), (False, False, *[True] * (len(headings) - 3)))


def record_tables(run: Run) -> list[Table]:
    """A table for each list of records that a run found, such as the layers of a network."""
    tables = []
    for name, value in (*run.result.items(), *run.mapping("findings").items()):
        if name in ("items", "figures") or not _is_table(value):
            continue
        headings = list(dict.fromkeys(key for record in value for key in record))
        first, rest = headings[0], headings[1:]
        rows = [
            Row(
                anything(record.get(first)),
                "",
                tuple(anything(record.get(key), CELL) for key in rest),
            )
            for record in value[:ROWS]
        ]
        numeric = tuple(
            any(number(record.get(key)) is not None for record in value) for key in rest
        )
        tables.append(
            Table(_spaced(name).capitalize(), tuple(map(_spaced, headings)), tuple(rows), numeric)
        )
    return tables


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, dict) and row for row in value)
    )


def target_rows(cards: Sequence[Card], contenders: Sequence[str]) -> list[TargetRow]:
    """Cards side by side: a row a target, in order of appearance; without targets, by place."""
    rows: dict[tuple[str, int], dict[str, list[Card]]] = {}
    places: dict[str, int] = {}
    for card in cards:
        place = places[card.contender] = places.get(card.contender, -1) + 1
        key = (card.target, place if card.target == UNTITLED else -1)
        rows.setdefault(key, {}).setdefault(card.contender, []).append(card)
    return [
        TargetRow(target, tuple(tuple(by_name.get(name, ())) for name in contenders))
        for (target, _), by_name in rows.items()
    ]


def _contender(row: dict[str, Any], beyond: Sequence[str]) -> tuple[str, ...]:
    items, won = number(row.get("items")), number(row.get("success"))
    spent = passes(row)
    return (
        " on ".join(filter(None, (words(row.get("search")), words(row.get("encoding")))))
        or NOTHING,
        f"{plain(won)} / {plain(items)}" if won is not None else NOTHING,
        percent(row.get("median_confidence")),
        percent(row.get("mean_confidence")),
        *(_beyond(column, row.get(column), items) for column in beyond),
        plain(spent / items if spent is not None and items else None),
        plain(row.get("forwards")),
        plain(row.get("backwards")),
        duration(row.get("seconds")),
    )


def _beyond(column: str, value: Any, items: float | None) -> str:
    """A cell of a column of BEYOND; a transfer success is a count where it is whole, else a share."""
    if column == "transfer_success":
        return (
            f"{plain(value)} / {plain(items)}"
            if isinstance(value, int) and items
            else percent(value)
        )
    return {"transfer_confidence": percent, "natural_distance": lambda known: plain(known, 3)}.get(
        column, plain
    )(value)


def _finding(name: str, value: Any) -> str:
    return percent(value) if name.endswith("confidence") else plain(value)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
