"""The whole parts that CONTRIBUTING.md shows are parts, and the files it names exist."""

from __future__ import annotations

import re
from typing import Any

import torch
from console import ROOT
from small_worlds import rows_of

from synth.core import Objective, Readout
from synth.core.network import OUTPUT, Network

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)


def _defined(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_objective_scores_images(network: Network) -> None:
    objective = _defined(next(block for block in BLOCKS if "class Brightness" in block))
    brightness = objective["Brightness"]()
    assert isinstance(brightness, Objective)
    images = torch.full((2, 3, 16, 16), 0.25)
    scores = brightness.bind(network)(Readout({}, images, rows_of(2)))
    assert torch.equal(scores["brightness"], torch.full((2, 1), 0.25))


def test_the_network_reads_images() -> None:
    untrained = _defined(next(block for block in BLOCKS if "def untrained" in block))["untrained"]
    images = torch.rand(2, 3, 32, 32)
    network = untrained(device="cpu")
    assert network.read(images, [OUTPUT])[OUTPUT].shape == (2, 10)
    assert torch.equal(untrained(device="cpu")(images), network(images))


def test_the_files_it_names_are_there() -> None:
    for name in re.findall(r"`((?:synth|docs|tests)/[\w./]+\.(?:py|md))`", TEXT):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`((?:core|engine|networks|objectives|operators)/\w+\.py)`", TEXT):
        assert list((ROOT / "synth").rglob(name)), name
