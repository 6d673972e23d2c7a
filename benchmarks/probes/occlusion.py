"""Occlusion beside bare forward passes and captum: SqueezeNet 1.1, 224 px, window 32, stride 8.

A bare pass gives logits for a batch of images that lie in memory already. Captum occludes the same
picture with the same colour, at its best of several `perturbations_per_eval`. CPU seconds, medians
over interleaved rounds.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from captum.attr import Occlusion as Peer
from torch import Tensor

import synth
from synth import data
from synth.probes.attributions.fills import fill
from synth.probes.attributions.score import Score
from synth.probes.attributions.windows import Occluder, Windows

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
ROUNDS = int(os.environ.get("SYNTH_ROUNDS", "3"))
WINDOW, STRIDE = 32, 8
PERTURBATIONS = (8, 32)


def rows() -> list[tuple[str, str]]:
    """Windows a second of each side, and how far the maps differ, as rows of a table."""
    weights = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
    network = synth.network("squeezenet1_1", weights=weights)
    network.eval()
    image = data.picture("flower").at(network.size)[None]
    score = Score(network)
    neurons = score.neurons(image)
    cover = fill("average", image, network, torch.zeros(1, dtype=torch.int64))
    windows = Windows(network.size, (WINDOW, WINDOW), (STRIDE, STRIDE))
    occluder, plain = Occluder(score, windows), Occluder(score, windows, crop=False)
    batch = image.expand(score.rows, -1, -1, -1).contiguous()

    def bare() -> Tensor:
        with torch.inference_mode():
            return torch.cat([network(batch) for _ in range(len(windows) // len(batch))])

    def peer(count: int) -> Tensor:
        with torch.no_grad():
            return Peer(network).attribute(
                image,
                (3, WINDOW, WINDOW),
                strides=(3, STRIDE, STRIDE),
                baselines=cover,
                target=neurons,
                perturbations_per_eval=count,
            )

    sides: dict[str, Callable[[], Tensor]] = {
        "bare": bare,
        "synth": lambda: occluder(image[0], neurons[0], cover[0]),
        "synth, whole images": lambda: plain(image[0], neurons[0], cover[0]),
        **{f"captum, {count} a pass": lambda count=count: peer(count) for count in PERTURBATIONS},
    }
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    maps = {}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.process_time()
            maps[name] = side()
            count = len(maps[name]) if name == "bare" else len(windows)
            speeds[name].append(count / (time.process_time() - start))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    own = windows.spread((score(image, neurons) - maps["synth"])[None])
    other = maps[f"captum, {PERTURBATIONS[0]} a pass"][:, 0]
    best = max(medians[name] for name in medians if name.startswith("captum"))
    what = f"occlusion, {len(windows)} windows of {WINDOW} px, SqueezeNet 1.1"
    return [
        (f"{what}: {name}", f"{speed:.1f} a second, {speed / medians['bare']:.2f} of bare passes")
        for name, speed in medians.items()
    ] + [
        (f"{what}: synth / captum at its best", f"{medians['synth'] / best:.2f}"),
        (f"{what}: largest difference of the maps", f"{float((own - other).abs().max()):.1e}"),
    ]
