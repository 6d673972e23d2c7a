"""Takes photographs and what was drawn of them; leaves the sheet that shows how far a training has come."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from synth import data
from synth.core import Images
from synth.record.atomic import write_atomically

FOLDER = "samples"  # of a run, for the sheets of its epochs


def sheet_of(epoch: int) -> str:
    """The name of an epoch's sheet: ``epoch_003.png``."""
    return f"epoch_{epoch:03d}.png"


def draw_samples(folder: Path, epoch: int, photographs: Images, drawn: Images, across: int) -> None:
    """Writes ``epoch_003.png`` into `folder`: rows of `across` photographs, each above what was `drawn` of it.

    Both are [n, 3, h, w]; what is left over of whole rows is left out, where there is one.
    """
    rows = [
        torch.cat(list(part[first : first + across]), dim=2)
        for first in range(0, len(photographs) - len(photographs) % across or 1, across)
        for part in (photographs, drawn)
    ]
    buffer = io.BytesIO()
    data.to_image(torch.cat(rows, dim=1)).save(buffer, "PNG")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / sheet_of(epoch), buffer.getvalue())
