"""The page of a map of pictures, ``map.html``: one file, in which it is zoomed into and turned.

It is made of ``map/map.json`` and the sheets of thumbnails beside it, which the probe `embedding`
leaves. The thumbnails are inlined; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from markupsafe import Markup

from synth.errors import InputError
from synth.files import open_regular, read_text
from synth.gallery.inline import inline_json, link
from synth.gallery.templating import asset, environment, script_hash
from synth.record.atomic import write_atomically
from synth.record.result import Json

PAGE = "map.html"
FOLDER = "map"
MOST_SHEETS = 64  # of thumbnails


def build_map_page(folder: Path) -> Path | None:
    """Writes the page of a run's map; None where the run has none.

    Raises:
        InputError: its files are damaged, or the page cannot be written.
    """
    source = folder / FOLDER / "map.json"
    if not source.is_file():
        return None
    try:
        content = json.loads(read_text(source))
        title = str(content["title"])
        count = min(int(content["thumbnails"]["sheets"]), MOST_SHEETS)
        sheets = [_encoded(folder / FOLDER / f"{number:03d}.webp") for number in range(count)]
        html = _rendered(title, content, sheets)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InputError(f"{source}: damaged; give the command of the run again.") from error
    try:
        write_atomically(folder / PAGE, html.encode("utf-8", errors="replace"))
    except OSError as error:
        raise InputError(f"{folder / PAGE}: cannot be written ({error.strerror}).") from error
    return folder / PAGE


def map_link(folder: Path, page: Path) -> str:
    """The URL by which `page` refers to the page of a run's map; empty where there is none."""
    path = folder / PAGE
    return link(path, page) if path.is_file() and (folder / FOLDER).is_dir() else ""


def _rendered(title: str, content: Json, sheets: list[Markup]) -> str:
    script = asset("embedding.js")
    return (
        environment()
        .get_template("embedding.html")
        .render(
            title=title,
            back="index.html",
            data=inline_json(content),
            sheets=sheets,
            style=asset("page.css") + asset("embedding.css"),
            script=script,
            script_hash=script_hash(script),
        )
    )


def _encoded(path: Path) -> Markup:
    """A file in base64, whose letters mean nothing to HTML."""
    with open_regular(path) as file:
        return Markup(base64.b64encode(file.read()).decode())
