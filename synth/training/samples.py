"""Sample sheets of a training: validation pictures, each above the model's output for it."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from synth import data
from synth.core import Images
from synth.record.atomic import write_atomically

FOLDER = "samples"  # within the run folder; one sheet an epoch


def sheet_of(epoch: int) -> str:
    """The file name of an epoch's sheet: ``epoch_003.png``."""
    return f"epoch_{epoch:03d}.png"


def draw_samples(folder: Path, epoch: int, inputs: Images, outputs: Images, across: int) -> None:
    """Writes an epoch's sheet into `folder`.

    Args:
        folder: made where it does not exist.
        epoch: counted from 1.
        inputs: pictures ``[n, 3, h, w]`` in [0, 1].
        outputs: the model's output for each, of the same shape.
        across: pictures in a row; an incomplete last row is left out unless it is the only one.
    """
    rows = [
        torch.cat(list(part[first : first + across]), dim=2)
        for first in range(0, len(inputs) - len(inputs) % across or 1, across)
        for part in (inputs, outputs)
    ]
    buffer = io.BytesIO()
    data.to_image(torch.cat(rows, dim=1)).save(buffer, "PNG")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / sheet_of(epoch), buffer.getvalue())
