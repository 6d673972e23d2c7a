"""README's lines of Python run as they stand, with a small module for the reader's own."""

from __future__ import annotations

import re
from collections import OrderedDict

import pytest
import torch
from console import ROOT
from PIL import Image
from torch import nn


def test_the_lines_for_a_notebook_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    shorter, count = re.subn(r"\]\)", "], steps=2, progress=False)", block)
    assert count == 2
    assert "size=224" in shorter
    torch.manual_seed(0)
    layers = OrderedDict(layer3=nn.Conv2d(3, 20, 3), relu=nn.ReLU(), layer4=nn.Conv2d(20, 10, 3))
    model = nn.Sequential(layers | {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()})
    model.append(nn.Linear(10, 400))
    names = [f"class {number}" for number in range(400)]
    names[7] = "goldfish"
    images = torch.rand(3, 3, 16, 16)
    shown: list[Image.Image] = []
    monkeypatch.setattr(Image.Image, "show", lambda self: shown.append(self))
    scope = {"model": model, "names": names, "images": images, "labels": [1, 2, 3]}
    exec(shorter.replace("size=224", "size=16"), scope)  # our own file
    assert len(shown) == 1
