"""How fast class visualisations are beside torch-lucent, which works as lucid does: pictures a second.

Sixteen classes at 128 px, 256 steps, SqueezeNet 1.1, spectrum with decorrelated colours, random moves. torch-lucent
as it is shipped scales its pictures up to 224 px before the network, so the figure is given with that and at equal
size; its users make pictures one by one, which is given too. Steps are timed, a few at a time in turns, by the
processor's time, which neighbours on a machine do not change (so run it with OMP_NUM_THREADS=1), and the pictures a
second of 256 steps follow from the medians.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import kornia
import lucent.optvis.param as param
from kornia.geometry import transform as kornia_transform
from lucent.optvis import objectives, render

from synth.core import Rows
from synth.core.network import Network
from synth.encodings.fourier import Fourier
from synth.engine.experiment import Experiment
from synth.networks.torchvision import torchvision
from synth.objectives.priors import TotalVariation
from synth.objectives.scores import ClassScore
from synth.objectives.weighted import WeightedSum
from synth.searches.gradient import Gradient
from synth.transforms.affine import Chain, Jitter, Rotate, Scale

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
SIDE, STEPS, CLASSES = (
    128,
    256,
    list(range(0, 1000, 64)),
)  # every 64th class, so that nobody chose them
FEW, ROUNDS = 2, 7  # steps timed at once, and how often


def rows() -> list[tuple[str, str]]:
    """Pictures a second of both sides, and their ratio, as rows of a table."""
    network = torchvision(
        "squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors")
    )
    batch = _experiment(network, CLASSES)
    ours, shipped = _seconds(partial(_ours, batch), partial(_lucent, network, CLASSES, None))
    again, equal = _seconds(partial(_ours, batch), partial(_lucent, network, CLASSES, SIDE))
    alone, one = _seconds(
        partial(_ours, _experiment(network, CLASSES[:1])), partial(_lucent, network, [0], None)
    )
    count = len(CLASSES)
    what = f"{count} class visualisations, {SIDE} px, {STEPS} steps, SqueezeNet 1.1"
    return [
        (f"{what}: pictures a second", f"{count / (STEPS * ours):.3f}"),
        ("the same, torch-lucent as shipped (its network reads 224 px), one batch",
         f"{count / (STEPS * shipped):.3f}, {shipped / ours:.1f} times as long"),
        ("the same, torch-lucent as shipped, one picture after the other",
         f"{1 / (STEPS * one):.3f}, {count * one / ours:.1f} times as long ({one / alone:.1f} of one of ours alone)"),
        (f"the same, torch-lucent made to read {SIDE} px too, one batch",
         f"{count / (STEPS * equal):.3f}, {equal / again:.1f} times as long"),
    ]  # fmt: skip


def _seconds(ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[float, float]:
    """Seconds a step of both, medians over turns; the first turn warms up."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 1):
        for side, run in enumerate((ours, theirs)):
            began = time.process_time()
            run()
            if turn:
                found[side].append((time.process_time() - began) / FEW)
    return statistics.median(found[0]), statistics.median(found[1])


def _experiment(network: Network, classes: list[int]) -> Experiment:
    """The recipe class_ascent_fourier."""
    moves = Chain([Jitter(0.1), Scale(0.8, 1.2), Rotate(15.0)])
    objective = WeightedSum({"class": ClassScore(classes), "tv": TotalVariation(weight=0.01)})
    monitor = ClassScore(classes, "probability")
    return Experiment(network, Fourier(SIDE), objective, Gradient(STEPS, rate=0.05), moves, monitor)


def _ours(experiment: Experiment) -> None:
    search, problem = experiment.search_method, experiment.problem
    rows: Rows = experiment.rows
    state = search.init(problem, rows)
    for step in range(FEW):
        state, _ = search.step(problem, rows, state, step)


def _lucent(network: Network, classes: list[int], size: int | None) -> None:
    # names that torch-lucent uses and that newer versions of kornia keep in a module of their own
    kornia.get_rotation_matrix2d = kornia_transform.get_rotation_matrix2d
    kornia.warp_affine = kornia_transform.warp_affine
    module = copy.deepcopy(network.module)  # it leaves its hooks behind
    terms: Any = sum((objectives.channel("labels", index, batch=i) for i, index in enumerate(classes[1:], 1)),
                     objectives.channel("labels", classes[0], batch=0))  # fmt: skip
    with contextlib.redirect_stderr(io.StringIO()):
        render.render_vis(
            module, terms, partial(_image, len(classes)), thresholds=(FEW,), progress=False, show_image=False,
            fixed_image_size=size,
        )  # fmt: skip


def _image(batch: int) -> Any:
    return param.image(SIDE, batch=batch, fft=True, decorrelate=True)
