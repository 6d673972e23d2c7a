"""Learning curves: the picture has the lines that it should have."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from synth.record import atomic
from synth.training.curves import TEST, TRAIN, draw_curves, write_rows

ROWS = [
    {
        "step": step,
        "train_loss": 3 - step / 4,
        "validation_loss": 3 - step / 5,
        "validation_accuracy": step / 9,
    }
    for step in range(1, 9)
]


def test_rows_are_one_object_a_line_and_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    path.write_text("left over\n")
    write_rows(path, ROWS)
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS


def test_curves_have_a_line_for_training_and_one_for_validation(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    panels = {
        "Loss": ("train_loss", "validation_loss"),
        "Accuracy": ("validation_accuracy", "never_measured"),
    }
    draw_curves(path, ROWS, panels)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    left, right = np.array_split(pixels, 2, axis=1)
    for half, colour, present in (
        (left, TRAIN, True),
        (left, TEST, True),
        (right, TEST, True),
        (right, TRAIN, False),
    ):
        near = (np.abs(half - 255 * np.array(to_rgb(colour))) < 8).all(-1)
        assert (near.sum() > 200) == present
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_curves_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.png"
    path.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        draw_curves(path, ROWS, {"Loss": ("train_loss",)})
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"
