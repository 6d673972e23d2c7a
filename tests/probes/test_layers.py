"""The table of layers: the same on the terminal and in the record that the page is drawn from."""

from __future__ import annotations

import pytest
import torch
from small_worlds import wrapped
from torch import Tensor, nn

from synth.probes.layers import Layers
from synth.record.memory_record import MemoryRecord


class Mixed(nn.Module):
    """A convolution, places that all see all, and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.mixed = nn.Identity()
        self.register_buffer("places", torch.rand(64, 64))
        self.fc = nn.Linear(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        x = self.mixed((x.flatten(2) @ self.places).view_as(x))
        return self.fc(x.mean((2, 3)))


def test_sight_and_stride_of_layers(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Layers(wrapped(Mixed(), size=(16, 16))).measure(MemoryRecord()).layers
    keys = "parameters", "receptive_field", "stride"
    table = {row["layer"]: tuple(row[key] for key in keys) for row in rows}
    assert table == {
        "conv": (112, "3 x 3", 2),
        "mixed": (0, "all", None),
        "fc": (25, "all", None),
        "output": (0, "all", None),
    }
    lines = capsys.readouterr().out.splitlines()
    for line, (name, (parameters, sight, stride)) in zip(lines[1:], table.items(), strict=False):
        assert line.startswith(name)
        shown = (f" {parameters}", sight, str(stride or "\u2013"))
        assert "".join(line.split()).endswith("".join(shown).replace(" ", "")), line
