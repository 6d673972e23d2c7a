"""Style transfer: time, fall of the Gram loss, and time of a plain torch loop over the same losses.

`china` in the style of The Starry Night, 512 px, 300 steps, SqueezeNet 1.1. The plain loop is what
is written by hand: `torch.optim.Adam` on the pixels and the same losses; both are timed a few
steps at a time in turns, by processor time, which other processes do not change.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import Readout, Rows
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.canvas import canvas
from synth.engine.experiment import Experiment
from synth.networks.torchvision import torchvision
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.searches.gradient import Gradient

SYNTH = str(Path(sys.executable).parent / "synth")
SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
WEIGHTS = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
STYLE, CONTENT_LAYER = "starry_night_crop.jpg", "features.6"
STYLE_LAYERS = ["features.1", "features.3", "features.6", "features.9"]
LONGEST = 512
STEPS = 300
TIMED_STEPS = 2  # steps timed at once
ROUNDS = 7  # how often


def rows() -> list[tuple[str, str]]:
    """Seconds of the whole command, the fall of the Gram loss, and the ratio to the plain loop."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(SHARED / "data" / "style_pictures.tar") as tar,
    ):
        tar.extractall(folder, filter="data")
        style = str(next(Path(folder).rglob(STYLE)))
        network = torchvision("squeezenet1_1", str(WEIGHTS))
        seconds, before, after = _whole(network, style, Path(folder) / "run")
        ratio = _ratio(network, style)
    what = f"style transfer, SqueezeNet 1.1, {LONGEST} px, {STEPS} steps"
    return [
        (f"{what}: seconds, {torch.get_num_threads()} threads", f"{seconds:.0f}"),
        (
            "the same: Gram loss of the saved picture, less than the content's by",
            f"{1 - after / before:.1%}",
        ),
        (
            "the same objective by Gram matrices alone: a step of a plain torch loop / of ours",
            f"{ratio:.2f}",
        ),
    ]


def _whole(network: Network, style: str, folder: Path) -> tuple[float, float, float]:
    """Seconds of the run, and the Gram losses of the content and of the saved picture."""
    command = [
        SYNTH,
        "recipe=style_transfer",
        "network=squeezenet1_1",
        f"network.weights={WEIGHTS}",
        f"style={style}",
        f"encoding.longest={LONGEST}",
        f"search.steps={STEPS}",
        f"folder={folder}",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    result = json.loads((folder / "result.json").read_text())
    saved = data.from_image(data.picture(folder / result["items"][0]["file"]).image)
    size = (saved.shape[1], saved.shape[2])
    images = torch.stack([data.picture("china").at(size), saved])
    bound = GramMatch(style).bind(network).at(size)
    rows_of_zero = Rows(torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        before, after = (
            -bound(Readout(network.read(images, bound.layers), images, rows_of_zero))["style"][:, 0]
        ).tolist()
    return result["seconds"], before, after


def _ratio(network: Network, style: str) -> float:
    """time(plain loop) / time(engine), the median over interleaved pairs."""
    encoding = canvas("china", content="china", longest=LONGEST)
    objective = WeightedSum(
        {
            "style": GramMatch(style, layers=STYLE_LAYERS),
            "content": FeatureMatch(CONTENT_LAYER, content="china", weight=0.05),
        }
    )
    experiment = Experiment(network, encoding, objective, Gradient(STEPS, rate=0.02))
    search = experiment.search_method
    state = search.init(experiment.problem, experiment.rows)

    def engine_steps() -> None:
        nonlocal state
        for step in range(TIMED_STEPS):
            state, _ = search.step(experiment.problem, experiment.rows, state, step)

    assert encoding.size is not None
    plain = _plain(network, data.picture("china").at(encoding.size)[None], style)
    engine_steps()
    plain()
    return statistics.median(_timed(plain) / _timed(engine_steps) for _ in range(ROUNDS))


def _timed(call: Callable[[], None]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _plain(network: Network, content: Tensor, style: str) -> Callable[[], None]:
    """Plain Adam steps on a copy of the torchvision module in the usual layout."""
    features: Any = network.module.features
    module = copy.deepcopy(features).to(memory_format=torch.contiguous_format)
    mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    last = max(int(layer.rsplit(".", 1)[-1]) for layer in STYLE_LAYERS)

    def activations_of(images: Tensor) -> dict[str, Tensor]:
        values = (images - mean) / std
        activations = {}
        for place in range(last + 1):
            values = activations[f"features.{place}"] = module[place](values)
        return activations

    def gram(values: Tensor) -> Tensor:
        flat = values.flatten(2)
        return torch.bmm(flat, flat.mT) / flat.shape[2]

    with torch.no_grad():
        picture = data.picture(style).at((content.shape[2], content.shape[3]))[None]
        grams = {
            layer: gram(values)
            for layer, values in activations_of(picture).items()
            if layer in STYLE_LAYERS
        }
        content_target = activations_of(content)[CONTENT_LAYER]
    image = content.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.02)

    def steps() -> None:
        for _ in range(TIMED_STEPS):
            optimiser.zero_grad()
            activations: dict[str, Any] = activations_of(image)
            style_loss = sum(
                (gram(activations[layer]) - target).square().sum() / target.square().sum()
                for layer, target in grams.items()
            )
            loss = (
                style_loss / len(grams)
                + 0.05
                * (activations[CONTENT_LAYER] - content_target).square().sum()
                / content_target.square().sum()
            )
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                image.clamp_(0, 1)

    return steps
