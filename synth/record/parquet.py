"""Parquet tables with the types of Hugging Face, written a row group at a time.

``image`` columns are structs of ``bytes`` and ``path``, which data sets of Hugging Face and viewers
of maps show as pictures.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.errors import InputError
from synth.record.result import Json

NUMBER = {"dtype": "float32", "_type": "Value"}
IMAGE = {"_type": "Image"}
VECTOR = {"feature": NUMBER, "_type": "Sequence"}


def is_available() -> bool:
    """Whether pyarrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def require(word: str) -> None:
    """Raises InputError where pyarrow is not installed; `word` is what needs it."""
    if not is_available():
        raise InputError(f"{word}: needs pyarrow; pip install synth[datasets].")


def columns_of(path: Path) -> list[str]:
    """The names of the columns of a Parquet file; none of a file that is not one."""
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        return list(parquet.read_schema(path).names)
    except (OSError, arrow.ArrowException):
        return []


class ParquetFile:
    """A Parquet file that is written row group by row group.

    Args:
        path: of the file.
        features: the columns with their types, as Hugging Face writes them: ``{"dtype": "string",
            "_type": "Value"}``, `IMAGE`, `VECTOR`, ``{"names": [...], "_type": "ClassLabel"}``.
    """

    def __init__(self, path: Path, features: Mapping[str, Mapping[str, Json]]) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        self.path = path
        self._types = {name: _type_of(feature) for name, feature in features.items()}
        self.schema = arrow.schema(
            list(self._types.items()),
            metadata={"huggingface": json.dumps({"info": {"features": features}})},
        )
        self._writer = parquet.ParquetWriter(path, self.schema)

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Writes a row group: a list of values for each column, None where there is none."""
        import pyarrow as arrow

        arrays = [arrow.array(columns[name], kind) for name, kind in self._types.items()]
        self._writer.write_table(arrow.table(arrays, schema=self.schema))

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


def _type_of(feature: Mapping[str, Json]) -> Any:
    import pyarrow as arrow

    if feature["_type"] == "Image":
        return arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    if feature["_type"] == "ClassLabel":
        return arrow.int64()
    if feature["_type"] == "Sequence":
        return arrow.list_(arrow.float32())
    return {
        "string": arrow.string(),
        "int64": arrow.int64(),
        "float64": arrow.float64(),
        "float32": arrow.float32(),
        "bool": arrow.bool_(),
    }[str(feature["dtype"])]
