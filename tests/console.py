"""What a command leaves behind, the console script as a process of its own, and weights small enough to wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
# the first eight are what the comparison aims at by default
CLASSES = {
    "goldfish": ("n01443537", 1), "monarch": ("n02279972", 323), "school bus": ("n04146614", 779),
    "lemon": ("n07749582", 951), "pizza": ("n07873807", 963), "jellyfish": ("n01910747", 107),
    "king penguin": ("n02056570", 145), "teapot": ("n04398044", 849), "steel arch bridge": ("n04311004", 821),
    "tabby, tabby cat": ("n02123045", 281),
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """What a command left behind: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error of a command that left with exit code 2; anything else fails the test."""
        assert "Traceback" not in self.err + self.out, self.err
        assert self.code == 2, (self.code, self.err)
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("synth: ")
        return lines[0].removeprefix("synth: ")


Synth = Callable[..., Ran]


def write_weights(path: Path, architecture: str = "mini_alexnet", **metadata: str) -> Path:
    """Random weights, the same in every call, with their metadata; `metadata` takes the place of what is usual."""
    from synth.networks import architectures

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = architectures.builder(architecture)(classes=len(CLASSES))
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight)  # a scale at which nothing dies on the way up
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


def started(*words: object, cwd: Path, code: str | None = None) -> subprocess.Popen[str]:
    """The console script, or `code` in its place, as a process of its own, its output piped."""
    quiet = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, *(["-c", code] if code else ["-m", "synth.cli"]), *map(str, words)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **quiet, "PYTHONPATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
