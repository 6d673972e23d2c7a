"""The page of figures: one HTML file without scripts, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from itertools import groupby
from pathlib import Path

from benchmarks.device.figures import FIGURES, Row

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; color: #222 }
table { border-collapse: collapse; width: 100% }
td { padding: .15rem .6rem; border-bottom: 1px solid #ddd }
td.number { text-align: right; font-variant-numeric: tabular-nums }
"""


def write_page(folder: Path, machine: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Writes ``device.html`` and ``device.json``.

    Args:
        folder: where they go; it is made.
        machine: what was measured on, by name.
        rows: the figures, those of a figure one after the other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = {"machine": dict(machine), "rows": [asdict(row) for row in rows]}
    (folder / "device.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Figures of a device</title>",
        f"<style>{STYLE}</style><h1>Figures of a device</h1><p>{escape(about)}</p>",
    ]
    for name, group in groupby(rows, key=lambda row: row.figure):
        title = name
        if name in FIGURES:
            title = str(FIGURES[name].__doc__).splitlines()[0]
        parts.append(f"<h2>{escape(title)}</h2><table>{''.join(map(_line, group))}</table>")
    (folder / "device.html").write_text("\n".join(parts) + "\n", encoding="utf-8")


def _line(row: Row) -> str:
    value = "" if row.value is None else f"{row.value:,.4g}"
    cells = f"<td>{escape(row.what)}<td class=number>{value}<td>{escape(row.unit)}"
    return f"<tr>{cells}"
