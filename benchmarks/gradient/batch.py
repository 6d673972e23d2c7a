"""`synth.attack` on a batch of tensors beside Foolbox and torchattacks: fooled, passes, seconds.

The call of a notebook, from tensors to tensors, all of its overhead included: composing, checking,
rounding to 8 bits, predictions. The same module, pictures, labels, radius, step length and number
of steps for all sides; success counted on images rounded to 8 bits. SYNTH_PICTURES is the number of
pictures (default 32).
"""

from __future__ import annotations

import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import synth
from benchmarks.gradient.projected import (
    EPSILON,
    PEER_PICTURES,
    RATE,
    ROUNDS,
    SHARED,
    STEPS,
    _correct,
    _foolbox,
    _torchattacks,
)
from synth import data
from synth.core.network import Network

SETTINGS = {"epsilon": EPSILON, "steps": STEPS[None], "search": {"rate": RATE}, "progress": False}


def rows() -> list[tuple[str, str]]:
    """Fooled pictures, passes and seconds, as rows of a table."""
    weights = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
    network = synth.network("squeezenet1_1", weights=weights)
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "imagenet_samples_500.tar") as archive:
            archive.extractall(folder, filter="data")
        correct, _ = _correct(network, Path(folder))
        some = correct[:: max(1, len(correct) // PEER_PICTURES)][:PEER_PICTURES]
        images = torch.stack([data.picture(path).at(network.size) for path in some])
    with torch.no_grad():
        labels = network(images).argmax(1)
    foolbox, torchattacks = _foolbox(network, None), _torchattacks(network, None)
    sides: dict[str, Callable[[], Tensor]] = {
        "synth, until fooled": lambda: synth.attack(network, images, labels, **SETTINGS).images,
        "synth, all steps": lambda: (
            synth.attack(network, images, labels, until=None, **SETTINGS).images
        ),
        "Foolbox": lambda: foolbox(images, labels),
        "torchattacks": lambda: torchattacks(images, labels),
    }
    passes = {name: _passes(network, side) for name, side in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    fooled = {}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.process_time()
            adversarial = side()
            seconds[name].append(time.process_time() - start)
            with torch.inference_mode():
                predictions = network((adversarial * 255).round() / 255).argmax(1)
            fooled[name] = int((predictions != labels).sum())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    own = medians["synth, all steps"]
    return [
        (
            f"synth.attack, {len(some)} tensors, L-inf 8/255, at most {STEPS[None]} steps: {name}",
            f"{fooled[name]} fooled, {passes[name] / len(some):.1f} forward passes an image, "
            f"{medians[name]:.1f} CPU seconds, {medians[name] / own:.2f} of synth's with all steps",
        )
        for name in sides
    ]


def _passes(network: Network, side: Callable[[], Tensor]) -> int:
    """Images that pass forward through the network, the copies that searches read included."""
    count = 0

    def add(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal count
        count += len(inputs[0])

    modules = {network.module, network._inference_copy().module}
    hooks = [module.register_forward_pre_hook(add) for module in modules]
    side()
    for hook in hooks:
        hook.remove()
    return count
