"""Parquet files of bounded size with the features of Hugging Face: pictures, classes, records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.datasets.layout import Layout, dtype_of
from synth.datasets.survey import Example, Survey
from synth.record import parquet
from synth.record.result import Json

ROWS, GROUP = 256, 16 << 20  # of a row group at most, which is in memory at once: rows, bytes


@dataclass(frozen=True)
class Embedded:
    """Vectors of pictures, and their places on a map, in the order of the pictures.

    Attributes:
        vectors: float32 [n, d].
        points: float32 [n, 2].
    """

    vectors: np.ndarray
    points: np.ndarray


class ParquetLayout(Layout):
    """See the module.

    Args:
        embedded: vectors and places for the columns ``embedding``, ``projection_x`` and
            ``projection_y``; None for no such columns.
    """

    kind = "application/x-parquet"
    loader = "parquet"

    def __init__(
        self, folder: Path, survey: Survey, shard: int, embedded: Embedded | None = None
    ) -> None:
        super().__init__(folder, survey, shard)
        (folder / "data").mkdir()
        self.embedded = embedded
        columns = [name for name in survey.columns if name != "label"]
        self.table: dict[str, dict[str, Json]] = {
            "image": parquet.IMAGE,
            "label": {"names": survey.classes, "_type": "ClassLabel"},
            **{name: {"dtype": dtype_of(name), "_type": "Value"} for name in columns},
        }
        if embedded is not None:
            self.table |= {
                "embedding": parquet.VECTOR,
                "projection_x": parquet.NUMBER,
                "projection_y": parquet.NUMBER,
            }
        self._written = 0
        self._rows: dict[str, list[dict[str, Any]]] = {split: [] for split in survey.counts}
        self._waiting = dict.fromkeys(survey.counts, 0)  # bytes of these rows
        self._sizes = dict.fromkeys(survey.counts, 0)  # of the open shard
        self._open: dict[str, parquet.ParquetFile] = {}
        self._shards: dict[str, list[Path]] = {split: [] for split in survey.counts}

    def add(self, example: Example) -> None:
        name = f"{example.id}.png"
        row = {
            **example.record,
            "image": {"bytes": example.content, "path": name},
            "label": example.label,
        }
        if self.embedded is not None:
            row["embedding"] = self.embedded.vectors[self._written]
            row["projection_x"], row["projection_y"] = self.embedded.points[self._written].tolist()
        self._written += 1
        split = example.split
        self._rows[split].append(row)
        self._waiting[split] += len(example.content)
        self.bytes[split] += len(example.content)
        if len(self._rows[split]) == ROWS or self._waiting[split] >= min(GROUP, self.shard):
            self._flush(split)

    def _flush(self, split: str) -> None:
        """Writes the rows that wait as one row group."""
        rows = self._rows[split]
        if not rows:
            return
        if split in self._open and self._sizes[split] + self._waiting[split] > self.shard:
            self._open.pop(split).close()
        if split not in self._open:
            path = self.folder / "data" / f"{split}-{len(self._shards[split]):05d}.parquet"
            self._shards[split].append(path)
            self._open[split] = parquet.ParquetFile(path, self.table)
            self._sizes[split] = 0
        self._open[split].write({name: [row[name] for row in rows] for name in self.table})
        self._sizes[split] += self._waiting[split]
        self._waiting[split] = 0
        rows.clear()

    def close(self) -> None:
        for split, shards in self._shards.items():
            self._flush(split)
            if split in self._open:
                self._open.pop(split).close()
            for number, path in enumerate(shards):
                name = f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
                shards[number] = path.rename(path.with_name(name))

    @property
    def patterns(self) -> Mapping[str, str]:
        return {split: f"data/{split}-*.parquet" for split in self.survey.counts}

    @property
    def records(self) -> Sequence[Path]:
        shards = [path for split in self._shards.values() for path in split]
        return [path.relative_to(self.folder) for path in shards]

    @property
    def features(self) -> Sequence[Mapping[str, Json]]:
        kinds: dict[str, Json] = {"image": "image", "label": self.class_label()}
        columns = []
        for name, feature in self.table.items():
            if feature["_type"] == "Sequence":
                columns.append({"name": name, "sequence": "float32"})
            else:
                columns.append({"name": name, "dtype": kinds.get(name, feature.get("dtype"))})
        return columns

    @property
    def code(self) -> str:
        split = next(iter(self.survey.counts))
        return (
            'datasets.load_dataset("FOLDER")                          # Hugging Face datasets\n'
            f'pandas.read_parquet("FOLDER/{self.patterns[split].replace("*", "00000-of-...")}")'
        )

    def fields(self) -> list[tuple[str, str, dict[str, Json]]]:
        places = {name: {"extract": {"column": name}} for name in self.table}
        places["image"]["transform"] = {"jsonPath": "bytes"}
        kinds = {"image": "image", "label": "int64"}
        return [
            (name, kinds.get(name) or str(self.table[name].get("dtype", "float32")), place)
            for name, place in places.items()
        ]
