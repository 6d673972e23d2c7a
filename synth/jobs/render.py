"""Rendering of an earlier run's genomes at another size."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from torch import Tensor

from synth.core import Encoding, Rows
from synth.core.hardware import device_of
from synth.data.sizes import Size, size_of
from synth.errors import InputError
from synth.files import read_text
from synth.record import progress
from synth.record.checkpoint import UNREADABLE, read_marked
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import MALFORMED, RESULT, Item, Json, Result, name_of


class Render(Job):
    """The images of an earlier run again, for encodings that do not depend on a resolution.

    A CPPN is a function of the position in the image, so it can be rendered at any size.

    Args:
        run: the folder of the earlier run, or that of its genomes in an exported data set.
        encoding: the encoding of that run.
        size: height and width in pixels, or [height, width].
        contender: whose images, where the run was a comparison.
        device: ``auto``, ``cpu``, ``cuda:0``.

    Raises:
        InputError: where the folder holds no finished run with genomes, or the encoding is made of
            pixels.
    """

    def __init__(
        self,
        run: str,
        encoding: Encoding,
        size: Size = 1024,
        contender: str | None = None,
        device: str = "auto",
    ) -> None:
        shape = size_of(size, "size")
        if shape is None:
            raise InputError("size=null: write one number of pixels, or [height, width].")
        if not encoding.scalable:
            raise InputError(
                f"run={run}: its encoding, {name_of(encoding)}, is made of pixels; "
                "only encodings without a resolution render at another size: encoding=cppn."
            )
        name = f"genomes_{contender}.safetensors" if contender else "genomes.safetensors"
        self.device = device_of(device)
        try:
            tensors, _ = read_marked(Path(run) / name)
            self.genome = tensors["genome"].to(self.device)
            self.earlier = Result.from_dict(json.loads(read_text(_result_file(Path(run)))))
        except (*UNREADABLE, *MALFORMED) as error:
            raise InputError(
                f"run={run}: no finished run that kept its genomes ({name})."
            ) from error
        self.items = [item for item in self.earlier.items if item.contender == contender]
        if len(self.items) != len(self.genome):
            raise InputError(
                f"run={run}: {len(self.items)} items, but {len(self.genome)} genomes in {name}."
            )
        self.encoding = encoding.at(shape).to(self.device)
        start = self.encoding.start(self._rows(0))
        if (self.genome.shape[1:], self.genome.dtype) != (start.shape[1:], start.dtype):
            raise InputError(
                f"run={run}: the genomes in {name}, {_form(self.genome)}, are not those of its "
                f"encoding, {_form(start)}."
            )
        if not self.genome.isfinite().all():
            raise InputError(f"run={run}: there are genomes in {name} with NaN or infinity.")
        self.folder = run

    def run(self, record: Record) -> Result:
        """Renders one image after the other."""
        start = time.monotonic()
        items = []
        with progress.Steps("render", len(self.genome)) as bar:
            for i, earlier in enumerate(self.items):
                items.append(self._item(record, i, earlier))
                bar.at(i + 1, earlier.target or "")
        return Result(
            status="done",
            seconds=round(time.monotonic() - start, 3),
            device=str(self.device),
            versions=versions(),
            network=self.earlier.network,
            search=self.earlier.search,
            encoding=name_of(self.encoding),
            items=items,
            findings={"pictures": sum(item.file is not None for item in items)},
        )

    def _item(self, record: Record, number: int, earlier: Item) -> Item:
        """Renders one genome; an empty cell of a map has no image."""
        item = Item(
            target=earlier.target,
            target_index=earlier.target_index,
            niche=earlier.niche,
            seed=earlier.seed,
            of=earlier.file,
        )
        if earlier.file:
            with torch.inference_mode():
                genome = self.genome[number : number + 1]
                image = self.encoding.decode(genome, self._rows(number))[0]
            if not image.isfinite().all():
                raise InputError(f"run={self.folder}: genome {number} decodes to NaN.")
            about: dict[str, Json] = {"target": item.target, "target_index": item.target_index}
            if item.niche is not None:
                about["niche"] = item.niche
            about |= {"seed": item.seed, "of": f"{self.folder}/{earlier.file}"}
            item.file = record.picture(number, image, about)
        return item

    def _rows(self, number: int) -> Rows:
        """The row of one genome."""
        key = torch.zeros(1, dtype=torch.int64, device=self.device)
        return Rows(key + number, key)


def _result_file(run: Path) -> Path:
    """The result of a run, or what is left of it where a data set holds the run's genomes."""
    return run / RESULT if (run / RESULT).exists() else run / "run.json"


def _form(genomes: Tensor) -> str:
    """Shape and type of genomes in words: ``16x18 float32``."""
    shape = "x".join(map(str, genomes.shape[1:]))
    return f"{shape} {str(genomes.dtype).removeprefix('torch.')}"
