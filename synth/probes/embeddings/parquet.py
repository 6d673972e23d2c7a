"""An embedding as ``embedding.parquet``, with the columns that published viewers of maps read.

``image`` is a struct of ``bytes`` and ``path``, as in data sets of Hugging Face.
"""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from synth.data.pictures import Picture

FILE = "embedding.parquet"
ROWS = 1000  # of a row group, which is in memory at once
LONGEST = 256  # pixels of a picture's longer side
NUMBER = {"dtype": "float32", "_type": "Value"}
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"dtype": "string", "_type": "Value"},
    "embedding": {"feature": NUMBER, "_type": "Sequence"},
    "projection_x": NUMBER,
    "projection_y": NUMBER,
}


def is_available() -> bool:
    """Whether pyarrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None


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
    import pyarrow as arrow
    from pyarrow import parquet

    image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    number = arrow.float32()
    schema = arrow.schema(
        [
            ("image", image),
            ("label", arrow.string()),
            ("embedding", arrow.list_(number)),
            ("projection_x", number),
            ("projection_y", number),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
    )
    partial = folder / f"{FILE}.partial"
    with parquet.ParquetWriter(partial, schema) as writer:
        for start in range(0, len(pictures), ROWS):
            rows = slice(start, start + ROWS)
            columns = [
                arrow.array([_image(opened()) for opened in pictures[rows]], image),
                arrow.array(labels[rows], arrow.string()),
                arrow.array(vectors[rows].cpu().tolist(), arrow.list_(number)),
                arrow.array(points[rows, 0].tolist(), number),
                arrow.array(points[rows, 1].tolist(), number),
            ]
            writer.write_table(arrow.table(columns, schema=schema))
    partial.replace(folder / FILE)


def _image(picture: Picture) -> dict[str, Any]:
    """A picture, scaled down where it is large, as JPEG, and its name."""
    small = picture.image.copy()
    small.thumbnail((LONGEST, LONGEST))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return {"bytes": file.getvalue(), "path": picture.name}
