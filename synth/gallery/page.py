"""Takes run folders and the place of a page; leaves there one HTML file that needs only their pictures."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from synth.errors import InputError
from synth.gallery.archive import Archive, archive_of, course_of, coverage_of
from synth.gallery.cards import Card, cards_of, ratio_of, shown
from synth.gallery.curves import ITEMS, charts_of, item_curves, term_charts
from synth.gallery.folder import Figure, Run
from synth.gallery.heatmap import heat_map_of
from synth.gallery.inline import inline_json
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

TEMPLATES = Path(__file__).parent / "templates"
TILES = 24  # more cells than these are shown as small tiles, so that the archive is seen as a whole


@dataclass(frozen=True)
class Skipped:
    """A folder that could not be shown, and why in one line."""

    folder: Path
    reason: str


def build_page(folders: Sequence[Path], page: Path, title: str | None = None) -> Path:
    """One page over the runs in `folders`; those that cannot be read are left out.

    One folder alone gets its full page: curves, findings, and for a comparison its contenders side by side.
    Raises InputError where no folder is left, or where `page` cannot be written.
    """
    runs, skipped = read_runs(folders)
    if not runs:
        raise InputError(skipped[0].reason if skipped else "no run folder given to make a page of.")
    return write_page(runs, page, title)


def build_run_page(folder: Path) -> Path:
    """The page of one run, ``index.html`` in its own folder."""
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
    """The page of `runs`, which must not be empty; see `build_page`."""
    html = render(runs, page, title).encode(
        "utf-8", errors="replace"
    )  # lone surrogates are legal JSON
    try:
        _write(page, html)
    except OSError as error:
        raise InputError(f"{page}: the page cannot be written ({error.strerror}).") from error
    return page


def render(runs: Sequence[Run], page: Path, title: str | None = None) -> str:
    """The HTML of the page as it would stand at `page`."""
    alone = runs[0] if len(runs) == 1 else None
    cards = cards_of(runs, page, item_curves(alone) if alone else ())
    contenders = list(alone.contenders) if alone else []
    archive = archive_of(alone) if alone else None
    heat_map = heat_map_of(archive, _cells(archive, cards)) if archive else None
    script = _own("page.js") + _own("map.js")
    template = _environment().get_template("page.html")
    return template.render(
        title=title or _title(runs, page),
        lede=lede_of(runs),
        command=_command(alone) if alone else "",
        facts=facts_of(alone) if alone else [],
        findings=findings_of(alone) if alone else [],
        tables=record_tables(alone) if alone else [],
        figures=[
            (shown(each.picture, page), _caption(each, run, alone))
            for run in runs
            for each in run.figures
        ],
        charts=charts_of(alone) if alone else [],
        terms=term_charts(alone) if alone else [],
        runs=runs_table(runs, page) if not alone else None,
        contenders=contender_table(alone) if alone and contenders else None,
        rows=target_rows(cards, contenders) if contenders else [],
        names=contenders,
        cards=cards,
        is_archive=bool(alone and alone.is_archive and not contenders),
        tiles=bool(alone and alone.is_archive and len(cards) > TILES),
        coverage=coverage_of(archive) if archive else None,
        heat_map=heat_map,
        ratio=ratio_of(cards),
        filters=_filters(runs, cards),
        data=inline_json(
            {
                "runs": [_shared(run) for run in runs],
                "cards": [card.data for card in cards],
                "map": heat_map.data if heat_map else None,
            }
        ),
        style=_own("page.css") + _own("archive.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        colophon=_colophon(runs),
        alone_name=alone.folder.resolve().name if alone else "",
    )


def _cells(archive: Archive, cards: Sequence[Card]) -> dict[str, int]:
    """The number of the card that shows a cell, by the cell's name; such a card gets the cell's course as its curve."""
    names = [(f"{card.target}, {card.niche}", card.niche, card.target) for card in cards]
    for card, called in list(zip(cards, names, strict=True))[:ITEMS]:
        if not card.data.get("curve"):
            card.data["curve"] = next(
                filter(None, (course_of(archive, name) for name in called)), []
            )
    pairs = reversed(list(zip(cards, names, strict=True)))
    return {name: card.number for card, called in pairs for name in called if name}


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _own(name: str) -> Markup:
    """A file of ours that goes into the page as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _write(page: Path, html: bytes) -> None:
    """All or nothing: a reader, or a second job of a sweep, never meets half a page."""
    page.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=page.parent, prefix=f".{page.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(html)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(partial, 0o666 & ~umask)
        os.replace(partial, page)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _title(runs: Sequence[Run], page: Path) -> str:
    name = runs[0].recipe if len(runs) == 1 else page.parent.resolve().name
    name = name.replace("_", " ").strip()
    return name[:1].upper() + name[1:] or "Gallery"


def _caption(figure: Figure, run: Run, alone: Run | None) -> str:
    """A figure's caption; among many runs it has to say whose it is."""
    name = "" if alone else run.folder.resolve().name
    return ": ".join(part for part in (name, figure.caption) if part)


def _command(run: Run) -> str:
    """What to type for this run again, quoted for a shell."""
    overrides = run.result.get("overrides")
    if not run.text("recipe") or not isinstance(overrides, list):
        return ""
    typed = [word for word in overrides if isinstance(word, str) and not word.startswith("recipe=")]
    return shlex.join(["synth", f"recipe={run.text('recipe')}", *typed])


def _shared(run: Run) -> dict[str, Any]:
    """What all cards of a run have in common; `details` are lines of the enlarged view."""
    digest = words(run.mapping("network").get("sha256"))
    lines = [
        ["Network", f"{run.network} ({digest[:12]})" if digest else run.network],
        ["Recipe", run.recipe],
        ["Run", run.folder.resolve().name],
    ]
    return {
        "recipe": run.recipe,
        "network": run.network,
        "details": [line for line in lines if line[1]],
    }


def _filters(runs: Sequence[Run], cards: Sequence[Card]) -> dict[str, list[str]]:
    """The chips worth showing: only words between which there is a choice."""
    searches = list(dict.fromkeys(card.contender or str(card.data["search"]) for card in cards))
    recipes = list(dict.fromkeys(run.recipe for run in runs if run.items))
    marks = {card.success for card in cards}
    return {
        "success": ["success", "failed"] if {True, False} <= marks else [],
        "search": [name for name in searches if name] if len(searches) > 1 else [],
        "recipe": recipes if len(recipes) > 1 else [],
    }


def _colophon(runs: Sequence[Run]) -> str:
    """What the pictures were made with, each version and device once over all runs."""
    versions = (
        f"{name} {anything(of)}" for run in runs for name, of in run.mapping("versions").items()
    )
    devices = (f"on {run.text('device')}" for run in runs if run.text("device"))
    return ", ".join(dict.fromkeys([*versions, *devices])) or "synth"
