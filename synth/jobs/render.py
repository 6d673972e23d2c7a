"""Takes the genomes that an earlier run kept and a size; leaves their pictures at that size."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from synth.core import Encoding, Rows
from synth.core.hardware import device_of
from synth.data.sizes import Size, size_of
from synth.errors import InputError
from synth.record import progress
from synth.record.record import RESULT, Record, versions


class Render:
    """The pictures of the run in the folder `run` again, at `size` (height and width in pixels, or [height, width]).

    Only encodings that know no pixels can do that: a CPPN is a function of the place. `contender` names one of a
    comparison. `encoding` is that of the run.
    """

    def __init__(
        self,
        run: str,
        encoding: Encoding,
        size: Size = 1024,
        contender: str | None = None,
        device: str = "auto",
    ) -> None:
        wanted = size_of(size, "size")
        if wanted is None:
            raise InputError("size=null: write one number of pixels, or [height, width].")
        if not encoding.scalable:
            raise InputError(
                f"run={run}: its encoding, {type(encoding).__name__.lower()}, is made of pixels; only painters such as "
                "encoding=cppn render at another size."
            )
        file = Path(run) / (
            f"genomes_{contender}.safetensors" if contender else "genomes.safetensors"
        )
        self.device = device_of(device)
        try:
            self.genome = load_file(file)["genome"].to(self.device)
            self.before = json.loads((Path(run) / RESULT).read_text(encoding="utf-8"))
            self.items = [one for one in self.before["items"] if one.get("contender") == contender]
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"run={run}: no finished run that kept its genomes ({file.name})."
            ) from error
        if len(self.items) != len(self.genome):
            raise InputError(
                f"run={run}: {len(self.items)} items, but {len(self.genome)} genomes in {file.name}."
            )
        self.encoding, self.source = encoding.at(wanted).to(self.device), run

    def run(self, record: Record) -> dict[str, Any]:
        """Renders one picture after the other; gives the result record."""
        began = time.monotonic()
        items, key = [], torch.zeros(1, dtype=torch.int64, device=self.device)
        with progress.Steps("render", len(self.genome)) as bar:
            for i, old in enumerate(self.items):
                about = {
                    key: old.get(key)
                    for key in ("target", "target_index", "niche", "seed")
                    if key in old
                }
                item = {
                    "file": None,
                    **about,
                    "of": old.get("file"),
                    "predicted": None,
                    "success": None,
                }
                if old.get("file"):
                    with torch.inference_mode():
                        image = self.encoding.decode(self.genome[i : i + 1], Rows(key + i, key))[0]
                    item["file"] = record.picture(
                        i, image, {**about, "of": f"{self.source}/{old['file']}"}
                    )
                items.append(item)
                bar.at(i + 1, str(old.get("target") or ""))
        return {
            "status": "done",
            "seconds": round(time.monotonic() - began, 3),
            "device": str(self.device),
            "versions": versions(),
            "network": self.before.get("network"),
            "search": self.before.get("search"),
            "encoding": type(self.encoding).__name__.lower(),
            "items": items,
            "findings": {"pictures": sum(item["file"] is not None for item in items)},
        }
