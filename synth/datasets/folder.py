"""Class folders with ``metadata.jsonl`` inside each split: ``train/goldfish/000123.png``.

`torchvision.datasets.ImageFolder` reads a split, ``datasets.load_dataset("imagefolder")`` all of
them, with a column for each key of ``metadata.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from synth.datasets.layout import Layout, dtype_of
from synth.datasets.survey import Example, Survey
from synth.record.result import Json

METADATA = "metadata.jsonl"


class FolderLayout(Layout):
    """See the module.

    A line of ``metadata.jsonl`` has the columns in which every picture has a value, so that they
    have the same types in every split; the others are in its ``record``.
    """

    kind = "application/jsonlines"
    loader = "imagefolder"

    def __init__(self, folder: Path, survey: Survey, shard: int) -> None:
        super().__init__(folder, survey, shard)
        self._lines: dict[str, TextIO] = {}
        for split in survey.counts:
            # every class in every split, so that labels are the same in all of them
            for name in survey.folders:
                (folder / split / name).mkdir(parents=True)
            path = folder / split / METADATA
            self._lines[split] = open(path, "w", encoding="utf-8")  # noqa: SIM115

    def add(self, example: Example) -> None:
        name = f"{self.survey.folders[example.label]}/{example.id}.png"
        (self.folder / example.split / name).write_bytes(example.content)
        values = {column: example.record[column] for column in self.survey.dense}
        self._lines[example.split].write(
            json.dumps({"file_name": name, **values}, ensure_ascii=False) + "\n"
        )
        self.bytes[example.split] += len(example.content)

    def close(self) -> None:
        for lines in self._lines.values():
            lines.close()

    @property
    def patterns(self) -> Mapping[str, str]:
        return {split: f"{split}/**" for split in self.survey.counts}

    @property
    def records(self) -> Sequence[Path]:
        return [Path(split, METADATA) for split in self.survey.counts]

    @property
    def features(self) -> Sequence[Mapping[str, Json]]:
        columns = [{"name": name, "dtype": dtype_of(name)} for name in self.survey.dense]
        return [{"name": "image", "dtype": "image"}, *columns]

    @property
    def code(self) -> str:
        split = next(iter(self.survey.counts))
        return (
            'datasets.load_dataset("FOLDER")                          # Hugging Face datasets\n'
            f'torchvision.datasets.ImageFolder("FOLDER/{split}", allow_empty=True)'
        )

    def fields(self) -> list[tuple[str, str, dict[str, Json]]]:
        names = {"file_name": "string", **{name: dtype_of(name) for name in self.survey.dense}}
        return [(name, kind, {"extract": {"column": name}}) for name, kind in names.items()]
