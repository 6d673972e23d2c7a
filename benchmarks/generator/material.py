"""What the parts share: validation pictures, a second network, runs of recipes.

The second network is SqueezeNet 1.1: it knows 1,000 classes and took no part in the generator's
training. Pictures of 64 pixels are enlarged for it (bicubic) to 160 and to 224 pixels.
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
def mini_alexnet() -> Network:
    """Mini AlexNet, whose activations are the codes of the bundled generator."""
    return bundled("mini_alexnet")


@cache
def squeezenet() -> Network:
    """SqueezeNet 1.1."""
    return torchvision("squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors"))


@cache
def validation() -> tuple[Tensor, Tensor]:
    """The 2,500 validation pictures, [n, 3, 64, 64], class after class, and their labels, [n]."""
    images, labels = [], []
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "tiny_imagenet_100_val.tar") as tar:
            tar.extractall(folder, filter="data")
        for index, synset in enumerate(mini_alexnet().classes.synsets):
            for path in sorted(Path(folder).rglob(f"{synset}/*.*")):
                images.append(data.picture(str(path)).at(mini_alexnet().size))
                labels.append(index)
    return torch.stack(images), torch.tensor(labels)


def top_classes(images: Tensor, count: int, side: int) -> Tensor:
    """The `count` likeliest SqueezeNet classes of images enlarged to `side` pixels, [n, count]."""
    parts = []
    with torch.inference_mode():
        for part in images.split(BATCH):
            parts.append(squeezenet()(data.fitted(part, (side, side))).topk(count, 1).indices)
    return torch.cat(parts)


def recognition_rate(images: Tensor, labels: Tensor, side: int) -> float:
    """The share of images with the class of `labels` among the first five of SqueezeNet."""
    classes = torch.tensor(
        [mini_alexnet().classes.imagenet[label] or -1 for label in labels.tolist()]
    )
    return float((top_classes(images, 5, side) == classes[:, None]).any(1).float().mean())


def run_recipe(*words: str) -> tuple[dict[str, Any], Tensor]:
    """The result of `synth WORDS`, and its saved images, [n, 3, h, w]."""
    with tempfile.TemporaryDirectory() as folder:
        command = [SYNTH, *words, f"folder={folder}/run"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        result = json.loads((Path(folder) / "run" / "result.json").read_text())
        images = [
            data.picture(f"{folder}/run/{item['file']}").at(mini_alexnet().size)
            for item in result["items"]
        ]
    return result, torch.stack(images)


def generator() -> list[str]:
    """The override that names the generator, where it is not the bundled one."""
    return [f"generator={Path(GENERATOR).absolute()}"] if GENERATOR else []
