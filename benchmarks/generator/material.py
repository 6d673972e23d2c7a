"""What the parts measure with: the validation pictures, a second network that nobody trained on, runs of recipes.

The second network is SqueezeNet 1.1: it knows 1,000 classes and took no part in the generator's training. Pictures of
64 pixels are enlarged for it (bicubic) to 160 and to 224 pixels.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.networks.bundled import bundled
from synth.networks.torchvision import torchvision

SYNTH = str(Path(sys.executable).parent / "synth")
SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
GENERATOR = os.environ.get("SYNTH_GENERATOR")
SIDES = (160, 224)
BATCH = 50


@cache
def known() -> Network:
    """Mini AlexNet, whose codes the generator in the box draws from."""
    return bundled("mini_alexnet")


@cache
def other() -> Network:
    """SqueezeNet 1.1."""
    return torchvision("squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors"))


@cache
def validation() -> tuple[Tensor, Tensor]:
    """The 2,500 validation pictures, [n, 3, 64, 64], class after class, and the classes they show, [n]."""
    images, labels = [], []
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "tiny_imagenet_100_val.tar") as tar:
            tar.extractall(folder, filter="data")
        for index, synset in enumerate(known().classes.synsets):
            for path in sorted(Path(folder).rglob(f"{synset}/*.*")):
                images.append(data.picture(str(path)).at(known().size))
                labels.append(index)
    return torch.stack(images), torch.tensor(labels)


def first(images: Tensor, count: int, side: int) -> Tensor:
    """The `count` likeliest of SqueezeNet's 1,000 classes for each picture enlarged to `side` pixels, [n, count]."""
    found = []
    with torch.inference_mode():
        for part in images.split(BATCH):
            found.append(other()(data.fitted(part, (side, side))).topk(count, 1).indices)
    return torch.cat(found)


def seen_as(images: Tensor, labels: Tensor, side: int) -> float:
    """The share of pictures among whose first five classes, to SqueezeNet, is the one of `labels` (mini AlexNet's)."""
    wanted = torch.tensor([known().classes.imagenet[label] or -1 for label in labels.tolist()])
    return float((first(images, 5, side) == wanted[:, None]).any(1).float().mean())


def ran(*words: str) -> tuple[dict[str, Any], Tensor]:
    """The result of `synth WORDS`, and its pictures as saved, [n, 3, h, w]."""
    with tempfile.TemporaryDirectory() as folder:
        command = [SYNTH, *words, f"folder={folder}/run"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        result = json.loads((Path(folder) / "run" / "result.json").read_text())
        images = [
            data.picture(f"{folder}/run/{item['file']}").at(known().size)
            for item in result["items"]
        ]
    return result, torch.stack(images)


def generator() -> list[str]:
    """The word of a command that names the generator, where it is not the one in the box."""
    return [f"generator={Path(GENERATOR).absolute()}"] if GENERATOR else []
