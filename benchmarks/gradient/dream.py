"""Cost of DeepDream beside the loop of google/deepdream's notebook written out in plain torch.

The bundled photograph at 512 px in four octaves of ten steps. Processor time, medians over
interleaved pairs; run it with OMP_NUM_THREADS=1. That the two make the same image, but for their
jitter, is a test (tests/searches/test_search_stages.py).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional

from synth import data
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.jobs.deepdream_film import DeepDreamFilm
from synth.networks.bundled import bundled
from synth.networks.torchvision import torchvision
from synth.objectives.energy import Energy
from synth.objectives.guided import Guided
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.stages import octaves
from synth.transforms.affine import Jitter

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
LONGEST = 512
COUNT = 4
SCALE = 1.4
STEPS = 10
RATE = 0.006
SHIFT = 32
ROUNDS = 3
FRAMES = 24


def rows() -> list[tuple[str, str]]:
    """Seconds of dreams, their ratio to the bare loop, and of a film, as rows of a table."""
    squeeze = torchvision(
        "squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors")
    )
    table = []
    for network, layer in ((bundled("mini_alexnet"), "conv5"), (squeeze, "features.11")):
        engine, plain = _seconds(
            partial(_dream, network, Energy(layer)), partial(_plain_loop, network, layer)
        )
        guided, _ = _seconds(partial(_dream, network, Guided("flower", layer)), None)
        what = f"DeepDream, {LONGEST} px, {COUNT} octaves of {STEPS} steps, {network.name} {layer}"
        table.append(
            (what, f"{engine:.1f} s of one core, {engine / plain:.2f} times a bare loop in torch")
        )
        table.append(("the same, guided by a second picture", f"{guided:.1f} s"))
    layers = [f"conv{place}" for place in range(1, 6)]
    strip, _ = _seconds(partial(_dream, bundled("mini_alexnet"), Energy(layers)), None)
    table.append(("the same at five layers at once, mini_alexnet", f"{strip:.1f} s"))
    film, _ = _seconds(_film, None)
    table.append(
        (f"a film of {FRAMES} frames at 300x200, mini_alexnet", f"{film:.1f} s of one core")
    )
    return table


def _seconds(engine: Callable[[], None], peer: Callable[[], None] | None) -> tuple[float, float]:
    """Seconds of both, medians over turns; the first turn warms up."""
    seconds: tuple[list[float], list[float]] = ([], [0.0])
    for turn in range(ROUNDS + 1):
        for side, run in enumerate((engine, peer)):
            if run is None:
                continue
            start = time.process_time()
            run()
            if turn:
                seconds[side].append(time.process_time() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1][1:] or seconds[1])


def _dream(network: Network, objective: Energy | Guided) -> None:
    search = octaves(Gradient(rule="normalised", rate=RATE, momentum=0.0), COUNT, SCALE, STEPS)
    experiment = Experiment(
        network, Perturbation("china", longest=LONGEST), objective, search, Jitter(SHIFT / LONGEST)
    )
    with tempfile.TemporaryDirectory() as folder:
        experiment.run(FolderRecord(Path(folder)))


def _plain_loop(network: Network, layer: str) -> None:
    """The notebook's loop: octaves, detail, roll, step by g / mean|g|, clip; saves the image."""
    picture = data.picture("china")
    height, width = Perturbation("china", longest=LONGEST).size or (0, 0)
    name = network.rectified(layer)
    detail = torch.zeros(1, 3, 8, 8)
    draws = torch.Generator().manual_seed(0)
    for octave in range(COUNT):
        share = SCALE ** -(COUNT - 1 - octave)
        size = round(height * share), round(width * share)
        base = picture.at(size)[None]
        image = base + functional.interpolate(detail, size, mode="bicubic", antialias=True)
        for _ in range(STEPS):
            down, right = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=draws).tolist()
            image = image.roll((down, right), (2, 3)).requires_grad_()
            values = network.read(image, [name])[name]
            (slope,) = torch.autograd.grad(values, image, values.detach())
            image = (
                (image.detach() + RATE * slope / slope.abs().mean())
                .roll((-down, -right), (2, 3))
                .clamp(0, 1)
            )
        detail = image - base
    with tempfile.TemporaryDirectory() as folder:
        data.to_image(image[0]).save(Path(folder) / "dream.png")


def _film() -> None:
    search = octaves(Gradient(rule="normalised", rate=0.003, momentum=0.0), 3, SCALE, 4)
    film = DeepDreamFilm(
        bundled("mini_alexnet"),
        Perturbation("china", longest=300),
        Energy("conv5"),
        search,
        Jitter(),
        FRAMES,
    )
    with tempfile.TemporaryDirectory() as folder:
        film.run(FolderRecord(Path(folder)))


if __name__ == "__main__":
    for name, value in rows():
        print(f"| {name} | {value} |")
