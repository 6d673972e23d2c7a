"""Genomes and lineages of runs, which travel with the pictures.

``genomes/000/`` in a data set is what `recipe=render` needs of run 000: the genomes, from which a
CPPN's picture is painted at any size, the birth records of a lineage, the run's result as
``run.json`` and its configuration.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from synth.files import open_regular
from synth.gallery.folder import Run
from synth.record.atomic import write_atomically
from synth.record.json_text import dumps

CONFIGURATION = (".hydra/config.yaml", ".hydra/overrides.yaml")
MOST_HEADER = 100 << 20  # bytes, as in safetensors


@dataclass(frozen=True)
class Genomes:
    """The files of a run with its genomes and lineages.

    Attributes:
        files: their names.
        rows: of each item of the run the file and the row of its genome, for those that have one.
        scalable: a file of genomes that are painted at any size; empty where there is none.
    """

    files: tuple[str, ...]
    rows: dict[int, tuple[str, int]]
    scalable: str

    def place(self, item: int) -> tuple[str, int] | None:
        """The file and the row of the genome of an item; None where it has none."""
        return self.rows.get(item)


def genomes_of(run: Run) -> Genomes | None:
    """The genomes and lineages of a run; None where it has none that can be read."""
    files = []
    rows: dict[int, tuple[str, int]] = {}
    names = sorted(path.name for path in run.folder.glob("*.safetensors"))
    matches = [re.fullmatch(r"(?:genomes|lineage)(_.*)?\.safetensors", name) for name in names]
    for end in dict.fromkeys(match[1] or "" for match in matches if match):
        items = [place for place, item in enumerate(run.items) if item.contender == end[1:]]
        count = _rows_of(run.folder, f"genomes{end}.safetensors", "genome")
        if count:
            files.append(f"genomes{end}.safetensors")
            if not len(items) % count:
                each = len(items) // count  # images of a genome
                name = files[-1]
                rows |= {item: (name, place // each) for place, item in enumerate(items)}
        if _rows_of(run.folder, f"lineage{end}.safetensors", "births"):
            files.append(f"lineage{end}.safetensors")
    painted = (name for item, (name, _) in rows.items() if "cppn" in run.items[item].encoding)
    return Genomes(tuple(files), rows, next(painted, "")) if files else None


def save_genomes(run: Run, genomes: Genomes, folder: Path) -> None:
    """Copies the files of a run into `folder`, with its result and configuration.

    Raises:
        OSError: as the operating system raises it.
    """
    folder.mkdir(parents=True)
    for name in (*genomes.files, *CONFIGURATION):
        if _is_own_file(run.folder, name):
            (folder / name).parent.mkdir(exist_ok=True)
            with open_regular(run.folder / name) as source, open(folder / name, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
    write_atomically(folder / "run.json", dumps(run.result).encode())


def _is_own_file(folder: Path, name: str) -> bool:
    """Whether a run has a file of that name itself, and no link to one elsewhere."""
    path = folder / name
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _rows_of(folder: Path, name: str, tensor: str) -> int:
    """The length of a tensor in a file of safetensors; 0 where there is none.

    Only the header is read: https://github.com/huggingface/safetensors#format
    """
    if not _is_own_file(folder, name):
        return 0
    try:
        with open_regular(folder / name) as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, MOST_HEADER)))
        count = header[tensor]["shape"][0]
        end = header[tensor]["data_offsets"][1]
        whole = (folder / name).stat().st_size >= 8 + length + end
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error, RecursionError):
        return 0
    return count if type(count) is int and count > 0 and whole else 0
