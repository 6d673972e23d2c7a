"""The sheet of samples: every input above its output, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from synth.training.samples import draw_samples


@pytest.mark.parametrize(
    ("count", "across", "shape"), [(4, 2, (2, 2)), (5, 2, (2, 2)), (3, 6, (1, 3))]
)
def test_each_input_stands_above_its_output(
    count: int, across: int, shape: tuple[int, int], tmp_path: Path
) -> None:
    inputs = (torch.rand(count, 3, 7, 9) * 255).round() / 255
    draw_samples(tmp_path / "new/samples", 12, inputs, 1 - inputs, across)
    with Image.open(tmp_path / "new/samples/epoch_012.png") as image:
        sheet = np.asarray(image)
    down, wide = shape
    assert sheet.shape == (2 * down * 7, wide * 9, 3)
    for place in range(down * wide):
        row = place // wide * 14
        column = place % wide * 9
        expected = (inputs[place].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        assert np.array_equal(sheet[row : row + 7, column : column + 9], expected)
        assert np.array_equal(sheet[row + 7 : row + 14, column : column + 9], 255 - expected)
