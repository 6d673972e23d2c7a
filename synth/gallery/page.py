"""The HTML page of a run, or of many by `compare`: one file and the pictures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from synth.errors import InputError, printable
from synth.gallery.about import about_of
from synth.gallery.archive import Archive, confidence_curve, coverage_chart, read_archive
from synth.gallery.cards import Card, cards_of, picture_link, ratio_of
from synth.gallery.colophon import colophon, parts_of
from synth.gallery.compare import write_compare_page
from synth.gallery.curves import ITEMS, charts_of, item_curves, term_charts
from synth.gallery.entries import Entry, read_entry
from synth.gallery.folder import Run
from synth.gallery.heatmap import HeatMap, heat_map_of
from synth.gallery.inline import inline_json
from synth.gallery.map_page import build_map_page, map_link
from synth.gallery.more import command_of, unit_command
from synth.gallery.numerals import words
from synth.gallery.tables import (
    contender_table,
    facts_of,
    findings_of,
    lede_of,
    record_tables,
    target_rows,
)
from synth.gallery.templating import asset, environment, script_hash
from synth.record.atomic import write_atomically
from synth.record.result import Json

TILES = 24  # an archive of more cells than these is shown as small tiles


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
    if len(folders) == 1:
        return write_page(Run(folders[0]), page, title)
    entries, skipped = read_entries(folders, page)
    if not entries:
        raise InputError(skipped[0] if skipped else "no run folder given to make a page of.")
    if len(entries) == 1:
        return write_page(Run(entries[0].folder), page, title)
    return write_compare_page(entries, page, title, skipped)


def build_run_page(folder: Path) -> Path:
    """Writes the page of one run, ``index.html`` in its own folder, and that of its map, if any."""
    build_map_page(folder)
    return build_page([folder], folder / "index.html")


def read_entries(folders: Sequence[Path], page: Path) -> tuple[list[Entry], list[str]]:
    """The runs that can be read, in their order, and why the others cannot, a line each."""
    entries: list[Entry] = []
    skipped: list[str] = []
    for folder in folders:
        try:
            entries.append(read_entry(folder, page))
        except InputError as error:
            skipped.append(str(error).rstrip("."))
    return entries, skipped


def write_page(run: Run, page: Path, title: str | None = None) -> Path:
    """Writes the page of a run; see `build_page`."""
    # "replace": lone surrogates are legal in JSON
    html = render(run, page, title).encode("utf-8", errors="replace")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, html, shared=True)  # a sweep's jobs may write the same page
    except OSError as error:
        raise InputError(f"{page}: the page cannot be written ({error.strerror}).") from error
    return page


def render(run: Run, page: Path, title: str | None = None) -> str:
    """The HTML of the page as it would stand at `page`."""
    cards = cards_of([run], page, item_curves(run))
    archive = read_archive(run)
    if archive:
        cards = with_curves(archive, cards)
    heat_map = heat_map_of(archive, cards_by_cell(cards)) if archive else None
    script = asset("page.js") + asset("map.js")
    contenders = list(run.contenders)
    is_archive = run.is_archive and not contenders
    table = contender_table(run)
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title or _title(run),
            lede=lede_of(run),
            figures=[
                (
                    picture_link(figure.picture, page),
                    figure.caption,
                    list(filter(None, (unit_command(run, unit) for unit in figure.units))),
                )
                for figure in run.figures
            ],
            cards=cards,
            coverage=coverage_chart(archive) if archive else None,
            heat_map=heat_map,
            ratio=ratio_of(cards),
            filters=_filters(cards),
            data=inline_json(_data(run, cards, heat_map)),
            style=asset("page.css") + asset("archive.css") + asset("lineage.css"),
            script=script,
            script_hash=script_hash(script),
            colophon=colophon(parts_of(run)),
            about=about_of(run),
            headline=run.text("headline"),
            command=command_of(run),
            map_page=map_link(run.folder, page),
            facts=facts_of(run),
            findings=findings_of(run),
            tables=record_tables(run),
            charts=charts_of(run),
            terms=term_charts(run),
            contenders=table,
            rows=target_rows(cards, contenders) if contenders else [],
            names=contenders,
            # a measurement is its figures; what a search made are its pictures
            figures_first=not run.method and table is None,
            is_archive=is_archive,
            tiles=run.is_archive and len(cards) > TILES,
            alone_name=run.folder.resolve().name,
        )
    )


def _data(run: Run, cards: Sequence[Card], heat_map: HeatMap | None) -> dict[str, Json]:
    """What the page's scripts read."""
    return {
        "runs": [_run_data(run)],
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


def _title(run: Run) -> str:
    name = run.recipe.replace("_", " ").strip()
    return name[:1].upper() + name[1:] or "Gallery"


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


def _filters(cards: Sequence[Card]) -> dict[str, list[str]]:
    """The words of the filter's chips, of each kind of which there is more than one."""
    searches = list(dict.fromkeys(card.item.contender or card.item.search for card in cards))
    verdicts = {card.item.success for card in cards}
    return {
        "success": ["success", "failed"] if {True, False} <= verdicts else [],
        "search": [name for name in searches if name] if len(searches) > 1 else [],
    }
