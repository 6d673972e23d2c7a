"""The HTML page of one run or of many: one file that needs nothing but the pictures beside it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from synth.errors import InputError, printable
from synth.gallery.about import about_of
from synth.gallery.archive import Archive, confidence_curve, coverage_chart, read_archive
from synth.gallery.cards import Card, cards_of, picture_link, ratio_of
from synth.gallery.curves import ITEMS, charts_of, item_curves, term_charts
from synth.gallery.folder import Figure, Run
from synth.gallery.heatmap import HeatMap, heat_map_of
from synth.gallery.inline import inline_json
from synth.gallery.map_page import build_map_page, map_link
from synth.gallery.more import unit_command
from synth.gallery.numerals import anything, words
from synth.gallery.tables import (
    contender_table,
    facts_of,
    findings_of,
    lede_of,
    record_tables,
    runs_table,
    target_rows,
)
from synth.gallery.templating import asset, environment, script_hash
from synth.record.atomic import write_atomically
from synth.record.renames import current_word
from synth.record.result import Json

TILES = 24  # an archive of more cells than these is shown as small tiles


@dataclass(frozen=True)
class Skipped:
    """A folder that could not be shown, and why in one line."""

    folder: Path
    reason: str


def build_page(folders: Sequence[Path], page: Path, title: str | None = None) -> Path:
    """Writes one page over the runs in `folders`; those that cannot be read are left out.

    One folder alone gets its full page: curves, findings, and for a comparison its contenders side
    by side.

    Args:
        folders: run folders.
        page: the HTML file to write; missing folders above it are made.
        title: heading; by default the recipe of a single run, else the name of the page's folder.

    Returns:
        `page`.

    Raises:
        InputError: where no folder is left, or where `page` cannot be written.
    """
    runs, skipped = read_runs(folders)
    if not runs:
        raise InputError(skipped[0].reason if skipped else "no run folder given to make a page of.")
    return write_page(runs, page, title)


def build_run_page(folder: Path) -> Path:
    """Writes the page of one run, ``index.html`` in its own folder, and that of its map, if any."""
    build_map_page(folder)
    return build_page([folder], folder / "index.html")


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Skipped]]:
    """The runs in `folders` that can be read, in their order, and those that cannot."""
    runs: list[Run] = []
    skipped: list[Skipped] = []
    for folder in folders:
        try:
            runs.append(Run(folder))
        except InputError as error:
            skipped.append(Skipped(folder, str(error)))
    return runs, skipped


def write_page(runs: Sequence[Run], page: Path, title: str | None = None) -> Path:
    """Writes the page of `runs`, which must not be empty; see `build_page`."""
    # "replace": lone surrogates are legal in JSON
    html = render(runs, page, title).encode("utf-8", errors="replace")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, html, shared=True)  # a sweep's jobs may write the same page
    except OSError as error:
        raise InputError(f"{page}: the page cannot be written ({error.strerror}).") from error
    return page


def render(runs: Sequence[Run], page: Path, title: str | None = None) -> str:
    """The HTML of the page as it would stand at `page`."""
    alone = runs[0] if len(runs) == 1 else None
    cards = cards_of(runs, page, item_curves(alone) if alone else ())
    archive = read_archive(alone) if alone else None
    if archive:
        cards = with_curves(archive, cards)
    heat_map = heat_map_of(archive, cards_by_cell(cards)) if archive else None
    script = asset("page.js") + asset("map.js")
    details = _run_context(alone, cards, page) if alone else _overview_context(runs, page)
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title or _title(runs, page),
            lede=lede_of(runs),
            figures=[
                (
                    picture_link(figure.picture, page),
                    _caption(figure, run, alone),
                    list(filter(None, (unit_command(run, unit) for unit in figure.units))),
                )
                for run in runs
                for figure in run.figures
            ],
            cards=cards,
            coverage=coverage_chart(archive) if archive else None,
            heat_map=heat_map,
            ratio=ratio_of(cards),
            filters=_filters(runs, cards),
            data=inline_json(_data(runs, cards, heat_map)),
            style=asset("page.css") + asset("archive.css"),
            script=script,
            script_hash=script_hash(script),
            colophon=_colophon(runs),
            **details,
        )
    )


def _run_context(run: Run, cards: Sequence[Card], page: Path) -> dict[str, object]:
    """What the template shows of a single run only."""
    contenders = list(run.contenders)
    is_archive = run.is_archive and not contenders
    table = contender_table(run)
    return {
        "about": about_of(run),
        "headline": run.text("headline"),
        "command": _command(run),
        "map_page": map_link(run.folder, page),
        "facts": facts_of(run),
        "findings": findings_of(run),
        "tables": record_tables(run),
        "charts": charts_of(run),
        "terms": term_charts(run),
        "runs": None,
        "contenders": table,
        "rows": target_rows(cards, contenders) if contenders else [],
        "names": contenders,
        # a measurement is its figures; what a search made are its pictures
        "figures_first": not run.method and table is None,
        "is_archive": is_archive,
        "tiles": run.is_archive and len(cards) > TILES,
        "alone_name": run.folder.resolve().name,
    }


def _overview_context(runs: Sequence[Run], page: Path) -> dict[str, object]:
    """The same keys for a page of several runs."""
    return {
        "about": None,
        "headline": "",
        "command": "",
        "map_page": "",
        "facts": [],
        "findings": [],
        "tables": [],
        "charts": [],
        "terms": [],
        "runs": runs_table(runs, page),
        "contenders": None,
        "rows": [],
        "names": [],
        "figures_first": False,
        "is_archive": False,
        "tiles": False,
        "alone_name": "",
    }


def _data(runs: Sequence[Run], cards: Sequence[Card], heat_map: HeatMap | None) -> dict[str, Json]:
    """What the page's scripts read."""
    return {
        "runs": [_run_data(run) for run in runs],
        "cards": [card.data for card in cards],
        "map": heat_map.data if heat_map else None,
    }


def _cell_names(card: Card) -> tuple[str, str, str]:
    """The names by which an archive may call the cell of `card`."""
    return f"{card.target}, {card.niche}", card.niche, card.target


def with_curves(archive: Archive, cards: Sequence[Card]) -> list[Card]:
    """The cards, those without a curve with the confidence of their cell as one."""
    completed = list(cards)
    for place, card in enumerate(cards[:ITEMS]):
        if not card.curve:
            curves = (confidence_curve(archive, name) for name in _cell_names(card))
            completed[place] = replace(card, curve=next(filter(None, curves), []))
    return completed


def cards_by_cell(cards: Sequence[Card]) -> dict[str, int]:
    """The number of the first card that shows a cell, by the cell's name."""
    return {name: card.number for card in reversed(cards) for name in _cell_names(card) if name}


def _title(runs: Sequence[Run], page: Path) -> str:
    name = runs[0].recipe if len(runs) == 1 else page.parent.resolve().name
    name = name.replace("_", " ").strip()
    return name[:1].upper() + name[1:] or "Gallery"


def _caption(figure: Figure, run: Run, alone: Run | None) -> str:
    """A figure's caption; on a page of several runs it begins with the name of its run."""
    name = "" if alone else run.folder.resolve().name
    return ": ".join(part for part in (name, figure.caption) if part)


def _command(run: Run) -> str:
    """The command line that repeats this run, quoted for a shell."""
    overrides = run.result.get("overrides")
    if not run.text("recipe") or not isinstance(overrides, list):
        return ""
    arguments = [
        current_word(word)
        for word in overrides
        if isinstance(word, str) and not word.startswith("recipe=")
    ]
    return shlex.join(["synth", f"recipe={run.text('recipe')}", *arguments])


def _run_data(run: Run) -> dict[str, Json]:
    """What all cards of a run have in common; `details` are lines of the enlarged view."""
    digest = words(run.mapping("network").get("sha256"))
    lines = [
        ("Network", f"{run.network} ({digest[:12]})" if digest else run.network),
        ("Recipe", run.recipe),
        ("Run", printable(run.folder.resolve().name)),
    ]
    return {
        "recipe": run.recipe,
        "network": run.network,
        "details": [line for line in lines if line[1]],
    }


def _filters(runs: Sequence[Run], cards: Sequence[Card]) -> dict[str, list[str]]:
    """The words of the filter's chips, of each kind of which there is more than one."""
    searches = list(dict.fromkeys(card.item.contender or card.item.search for card in cards))
    recipes = list(dict.fromkeys(run.recipe for run in runs if run.items))
    verdicts = {card.item.success for card in cards}
    return {
        "success": ["success", "failed"] if {True, False} <= verdicts else [],
        "search": [name for name in searches if name] if len(searches) > 1 else [],
        "recipe": recipes if len(recipes) > 1 else [],
    }


def _colophon(runs: Sequence[Run]) -> str:
    """Versions, hardware and precision that the pictures were made with, each once."""
    versions = (
        f"{name} {anything(version)}"
        for run in runs
        for name, version in run.mapping("versions").items()
    )
    devices = (f"on {run.text('device')}" for run in runs if run.text("device"))
    hardware = (
        f"{name} {anything(value)}"
        for run in runs
        for name, value in run.mapping("hardware").items()
    )
    precisions = (
        f"searched in {anything(network['precision'])}"
        for network in (run.mapping("network") for run in runs)
        if network.get("precision")
    )
    words = dict.fromkeys([*versions, *devices, *hardware, *precisions])
    return ", ".join(words) or "synth"
