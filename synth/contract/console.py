"""The command line in this process, what it leaves, and a small weights file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from synth.networks import architectures

# name: WordNet synset, ImageNet index; the comparison aims at the first eight by default
CLASSES = {
    "goldfish": ("n01443537", 1),
    "monarch": ("n02279972", 323),
    "school bus": ("n04146614", 779),
    "lemon": ("n07749582", 951),
    "pizza": ("n07873807", 963),
    "jellyfish": ("n01910747", 107),
    "king penguin": ("n02056570", 145),
    "teapot": ("n04398044", 849),
    "steel arch bridge": ("n04311004", 821),
    "tabby, tabby cat": ("n02123045", 281),
}


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The only line on standard error; fails the test unless the exit code is 2."""
        assert "Traceback" not in self.err + self.out, self.err
        assert self.code == 2, (self.code, self.err)
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("synth: ")
        return lines[0].removeprefix("synth: ")


Synth = Callable[..., Ran]


def write_weights(path: Path, architecture: str = "mini_alexnet", **metadata: str) -> Path:
    """Writes a weights file with the same random weights in every call.

    Args:
        path: where it goes.
        architecture: name of a bundled architecture.
        metadata: entries that replace the usual ones.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = architectures.builder(architecture)(classes=len(CLASSES))
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight)  # keeps the scale from layer to layer
    usual = {
        "classes": json.dumps(
            [{"name": n, "wnid": w, "imagenet_index": i} for n, (w, i) in CLASSES.items()]
        ),
        "size": "64",
        "mean": "[0.48, 0.45, 0.4]",
        "std": "[0.28, 0.27, 0.28]",
    }
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in module.state_dict().items()
    }
    save_file(state, path, usual | metadata)
    return path


def result_of(folder: Path) -> dict[str, Any]:
    """The result.json of a run folder."""
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def steps_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run folder's steps.jsonl."""
    return [
        json.loads(line)
        for line in (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    ]
