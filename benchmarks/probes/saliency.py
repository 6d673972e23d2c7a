"""Saliency beside captum: the same maps, and how long they take; SqueezeNet 1.1, 224 px.

The same network, pictures and classes for both sides, float32. CPU seconds, medians over
interleaved rounds. Captum reads the batch as it is given, as a user calls it; here a pass on a CPU
takes at most half of it. SYNTH_PICTURES is the number of pictures in the batch (default 32).

Maps of integrated gradients differ by some thousandths of their largest value wherever two programs
sum in another order: the gradient of ReLUs and max pooling jumps, and the rounding of float32
decides on which side of a jump a point lies. float64 is the referee: both sides are as far from it.
"""

from __future__ import annotations

import os
import statistics
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import captum.attr as peers
import numpy as np
import torch
from torch import Tensor

import synth
from synth import data
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.grad_cam import GradCam
from synth.probes.attributions.gradients import (
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    SmoothGrad,
    Vanilla,
)
from synth.probes.attributions.score import Score

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
PICTURES = int(os.environ.get("SYNTH_PICTURES", "32"))
ROUNDS = int(os.environ.get("SYNTH_ROUNDS", "3"))
STEPS, SAMPLES = 10, 10
LAYER = "classifier.2"
FEW = 4  # pictures of which float64 is the referee


def rows() -> list[tuple[str, str]]:
    """Difference of the maps and ratio of the times of each method, as rows of a table."""
    warnings.simplefilter("ignore")
    weights = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
    network = synth.network("squeezenet1_1", weights=weights)
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "imagenet_samples_500.tar") as archive:
            archive.extractall(folder, filter="data")
        paths = sorted(Path(folder).rglob("*.jpg"))[:PICTURES]
        images = torch.stack([data.picture(path).at(network.size) for path in paths])
    score = Score(network)
    neurons = score.neurons(images)
    keys = torch.arange(len(images))
    part = peers.LayerGradCam(network, network.part(LAYER))
    cam = GradCam(LAYER)
    leaf = images.clone().requires_grad_()

    def own(method: Attribution) -> Callable[[], Tensor]:
        return lambda: method(score, images, neurons, keys)

    pairs: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]] = {
        "vanilla": (
            own(Vanilla()),
            lambda: peers.Saliency(network).attribute(leaf, neurons, abs=False),
        ),
        "gradient x input": (
            own(GradientTimesInput()),
            lambda: peers.InputXGradient(network).attribute(leaf, neurons),
        ),
        "guided backprop": (
            own(GuidedBackprop()),
            lambda: peers.GuidedBackprop(network).attribute(leaf, neurons),
        ),
        "Grad-CAM": (
            lambda: cam.coarse(score, images, neurons),
            lambda: part.attribute(leaf, neurons),
        ),
        f"integrated gradients, {STEPS} steps": (
            own(IntegratedGradients(STEPS)),
            lambda: peers.IntegratedGradients(network).attribute(
                leaf, target=neurons, n_steps=STEPS, internal_batch_size=score.rows
            ),
        ),
        f"SmoothGrad, {SAMPLES} samples": (
            own(SmoothGrad(SAMPLES)),
            lambda: peers.NoiseTunnel(peers.Saliency(network)).attribute(
                leaf,
                nt_samples=SAMPLES,
                nt_samples_batch_size=1,
                stdevs=0.15,
                target=neurons,
                abs=False,
            ),
        ),
    }
    table = [(f"{name}, {len(images)} pictures", _beside(*pair)) for name, pair in pairs.items()]
    return [*table, _refereed(score, images[:FEW], neurons[:FEW])]


def _refereed(score: Score, images: Tensor, neurons: Tensor) -> tuple[str, str]:
    """How far integrated gradients are from those in float64."""
    network = score.network
    module, mean, scale = deepcopy(network.module).double(), network.mean, network.scale
    total = torch.zeros_like(images, dtype=torch.float64)
    for point, weight in zip(*np.polynomial.legendre.leggauss(STEPS), strict=True):
        leaf = (images.double() * (1 + point) / 2).requires_grad_()
        scores = score.of(module((leaf - mean) * scale), neurons)
        total += torch.autograd.grad(scores.sum(), leaf)[0] * weight / 2
    exact = total * images
    method = peers.IntegratedGradients(network)
    maps = {
        "synth": IntegratedGradients(STEPS)(score, images, neurons, torch.arange(len(images))),
        "captum": method.attribute(
            images.clone().requires_grad_(), target=neurons, n_steps=STEPS, internal_batch_size=8
        ).detach(),
    }
    differences = [
        f"{name} {float((values - exact).abs().max() / exact.abs().max()):.1e}"
        for name, values in maps.items()
    ]
    what = f"integrated gradients, {len(images)} pictures: largest difference from float64"
    return what, ", ".join(differences)


def _beside(own: Callable[[], Tensor], other: Callable[[], Tensor]) -> str:
    seconds: tuple[list[float], list[float]] = ([], [])
    maps = [own().detach(), other().detach()]
    for _ in range(ROUNDS):
        for place, side in enumerate((own, other)):
            start = time.process_time()
            side()
            seconds[place].append(time.process_time() - start)
    first, second = (statistics.median(times) for times in seconds)
    difference = float((maps[0] - maps[1]).abs().max() / maps[1].abs().max())
    return f"{second / first:.2f} times as fast as captum, largest difference {difference:.1e}"
