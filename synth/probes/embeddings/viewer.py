"""The files behind the page of a map: ``map/map.json`` and the thumbnails, ``map/000.webp``, ...

The gallery makes ``map.html`` of them, one file in which pictures can be zoomed into.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor

from synth.errors import printable
from synth.record.json_text import dumps
from synth.record.record import Record
from synth.record.result import Json

FOLDER = "map"
SHEET = 2048  # pixels a side of a sheet of thumbnails: every device's textures are that large
SIDES = (96, 64, 48, 32, 24, 16)  # pixels of a thumbnail
PIXELS = 14_000_000  # of all thumbnails
STEPS = 65_535  # of a coordinate
QUALITY = 72


def thumbnail_side(count: int) -> int:
    """Pixels of the thumbnails of so many pictures; 0 where they are too many for any."""
    return next((side for side in SIDES if count * side * side <= PIXELS), 0)


def save(
    record: Record,
    title: str,
    maps: Mapping[str, Tensor],
    thumbnails: Tensor,
    names: Sequence[str],
    groups: Mapping[str, tuple[Sequence[str], Tensor, Sequence[tuple[int, int, int]]]],
    neighbours: Mapping[str, Tensor],
) -> None:
    """Writes them.

    Args:
        record: of the run.
        title: of the page.
        maps: points [n, 2] or [n, 3], by the name of the map.
        thumbnails: uint8 [n, 3, side, side].
        names: of the pictures.
        groups: by a word, ``class``: names of its groups, that of each picture [n] (-1 for none),
            and their colours.
        neighbours: rows [m, k] of the first m pictures' neighbours, by the name of the space.
    """
    side = thumbnails.shape[-1]
    across = SHEET // side if side else 0
    sheets = thumbnails.split(across**2) if side else ()
    content: dict[str, Json] = {
        "title": title,
        "names": [printable(name) for name in names],
        "maps": [
            {"name": name, "axes": points.shape[1], "points": _steps(points)}
            for name, points in maps.items()
        ],
        "groups": [
            {
                "name": word,
                "names": [printable(name) for name in each],
                "of": of.tolist(),
                "colours": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in colours],
            }
            for word, (each, of, colours) in groups.items()
        ],
        "neighbours": [
            {"name": name, "k": rows.shape[1], "rows": rows.flatten().tolist()}
            for name, rows in neighbours.items()
        ],
        "thumbnails": {"side": side, "across": across, "sheets": len(sheets)},
    }
    for number, part in enumerate(sheets):
        record.keep(f"{FOLDER}/{number:03d}.webp", _sheet(part, across))
    record.keep(f"{FOLDER}/map.json", dumps(content).encode())


def _steps(points: Tensor) -> list[int]:
    """Coordinates as whole numbers, the longest axis from 0 to `STEPS`, the others amid it."""
    low, high = points.amin(0), points.amax(0)
    longest = (high - low).max().clamp_min(1e-12)
    shares = (points - (low + high) / 2) / longest + 0.5
    return (shares * STEPS).round().long().clamp(0, STEPS).flatten().tolist()


def _sheet(thumbnails: Tensor, across: int) -> bytes:
    """Thumbnails [n, 3, side, side] in rows, as WebP."""
    count, _, side, _ = thumbnails.shape
    rows = -(-count // across)
    padded = torch.zeros(rows * across, 3, side, side, dtype=torch.uint8)
    padded[:count] = thumbnails
    grid = padded.view(rows, across, 3, side, side).permute(0, 3, 1, 4, 2)
    pixels = grid.reshape(rows * side, across * side, 3).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()
