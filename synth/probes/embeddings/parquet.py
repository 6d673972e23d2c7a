"""An embedding as ``embedding.parquet``, with the columns that published viewers of maps read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from synth.data.pictures import Picture
from synth.errors import printable
from synth.record.parquet import IMAGE, NUMBER, VECTOR, ParquetFile, is_available

__all__ = ["FILE", "is_available", "write"]

FILE = "embedding.parquet"
ROWS = 1000  # of a row group, which is in memory at once
LONGEST = 256  # pixels of a picture's longer side
FEATURES = {
    "image": IMAGE,
    "label": {"dtype": "string", "_type": "Value"},
    "embedding": VECTOR,
    "projection_x": NUMBER,
    "projection_y": NUMBER,
}


def write(
    folder: Path,
    pictures: Sequence[Any],
    labels: Sequence[str],
    vectors: Tensor,
    points: Tensor,
) -> None:
    """Writes the file, a row a picture.

    Args:
        folder: to write to.
        pictures: functions that open a `Picture`, [n].
        labels: its class, [n]; empty for none.
        vectors: [n, d].
        points: on the map, [n, 2].
    """
    partial = folder / f"{FILE}.partial"
    file = ParquetFile(partial, FEATURES)
    for start in range(0, len(pictures), ROWS):
        rows = slice(start, start + ROWS)
        file.write(
            {
                "image": [_image(opened()) for opened in pictures[rows]],
                "label": list(map(printable, labels[rows])),
                "embedding": vectors[rows].cpu().tolist(),
                "projection_x": points[rows, 0].tolist(),
                "projection_y": points[rows, 1].tolist(),
            }
        )
    file.close()
    partial.replace(folder / FILE)


def _image(picture: Picture) -> dict[str, Any]:
    """A picture, scaled down where it is large, as JPEG, and its name."""
    small = picture.image.copy()
    small.thumbnail((LONGEST, LONGEST))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return {"bytes": file.getvalue(), "path": printable(picture.name)}
