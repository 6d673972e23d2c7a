"""WebDataset: tar files of bounded size with ``000123.png``, ``.cls`` and ``.json`` a picture.

https://github.com/webdataset/webdataset; ``.cls`` is the index of the class, ``.json`` the record.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from synth.datasets.layout import Layout, dtype_of
from synth.datasets.survey import Example, Survey
from synth.record.json_text import dumps
from synth.record.result import Json

BLOCK = 512  # bytes, of which a tar file consists


class WebDatasetLayout(Layout):
    """See the module."""

    kind = "application/x-tar"
    loader = "webdataset"

    def __init__(self, folder: Path, survey: Survey, shard: int) -> None:
        super().__init__(folder, survey, shard)
        (folder / "data").mkdir()
        self._open: dict[str, tarfile.TarFile] = {}
        self._sizes: dict[str, int] = {}
        self._shards: dict[str, list[dict[str, Json]]] = {split: [] for split in survey.counts}

    def add(self, example: Example) -> None:
        parts = {
            "png": example.content,
            "cls": str(example.label).encode(),
            "json": json.dumps(example.record, ensure_ascii=False).encode(),
        }
        size = sum(BLOCK + -(-len(part) // BLOCK) * BLOCK for part in parts.values())
        archive = self._archive(example.split, size)
        for end, part in parts.items():
            entry = tarfile.TarInfo(f"{example.id}.{end}")  # no time, no owner
            entry.size = len(part)
            archive.addfile(entry, io.BytesIO(part))
        self._sizes[example.split] += size
        shard = self._shards[example.split][-1]
        shard["nsamples"] = int(str(shard["nsamples"])) + 1
        self.bytes[example.split] += len(example.content)

    def _archive(self, split: str, size: int) -> tarfile.TarFile:
        """The open shard of a split; another one where `size` more bytes would be too many."""
        if split in self._open and self._sizes[split] + size > self.shard:
            self._open.pop(split).close()
        if split not in self._open:
            name = f"{split}-{len(self._shards[split]):06d}.tar"
            self._open[split] = tarfile.open(self.folder / "data" / name, "w")  # noqa: SIM115
            self._sizes[split] = 2 * BLOCK  # the end of the file
            self._shards[split].append({"url": name, "nsamples": 0})
        return self._open[split]

    def close(self) -> None:
        for archive in self._open.values():
            archive.close()
        shards = [shard for split in self._shards.values() for shard in split]
        for shard in shards:
            shard["filesize"] = (self.folder / "data" / str(shard["url"])).stat().st_size
        # what the library wids reads
        index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": shards}
        (self.folder / "data/_info.json").write_text(dumps(index, indent=1), encoding="utf-8")

    @property
    def patterns(self) -> Mapping[str, str]:
        return {split: f"data/{split}-*.tar" for split in self.survey.counts}

    @property
    def records(self) -> Sequence[Path]:
        return [
            Path("data", str(shard["url"])) for split in self._shards.values() for shard in split
        ]

    @property
    def features(self) -> Sequence[Mapping[str, Json]]:
        columns = [{"name": name, "dtype": dtype_of(name)} for name in self.survey.columns]
        return [
            {"name": "png", "dtype": "image"},
            {"name": "cls", "dtype": self.class_label()},
            {"name": "json", "struct": columns},
            {"name": "__key__", "dtype": "string"},
            {"name": "__url__", "dtype": "string"},
        ]

    @property
    def code(self) -> str:
        split, shards = next((split, shards) for split, shards in self._shards.items() if shards)
        last = f"{len(shards) - 1:06d}"
        return (
            f'webdataset.WebDataset("FOLDER/data/{split}-{{000000..{last}}}.tar").decode("pil")\n'
            'datasets.load_dataset("FOLDER", streaming=True)          # Hugging Face datasets'
        )

    def fields(self) -> list[tuple[str, str, dict[str, Json]]]:
        return [("record", "string", {"extract": {"fileProperty": "content"}})]
