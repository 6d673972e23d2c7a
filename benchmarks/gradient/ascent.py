"""Speed of class visualisations beside torch-lucent, which works as lucid does: images a second.

Sixteen classes at 128 px, 256 steps, SqueezeNet 1.1, spectrum with decorrelated colours, random
transforms. torch-lucent as it is shipped scales its images up to 224 px before the network, so the
figure is given with that and at equal size; its users make images one by one, which is given too.
Steps are timed, a few at a time in turns, by processor time, which other processes do not change
(so run it with OMP_NUM_THREADS=1), and the images a second of 256 steps follow from the medians.
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
from synth.core.weighted_sum import WeightedSum
from synth.encodings.fourier import Fourier
from synth.engine.experiment import Experiment
from synth.networks.torchvision import torchvision
from synth.objectives.priors import TotalVariation
from synth.objectives.scores import ClassScore
from synth.searches.gradient import Gradient
from synth.transforms.affine import Chain, Jitter, Rotate, Scale

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
SIDE = 128
STEPS = 256
CLASSES = list(range(0, 1000, 64))  # every 64th class, not chosen by hand
TIMED_STEPS = 2  # steps timed at once
ROUNDS = 7  # how often


def rows() -> list[tuple[str, str]]:
    """Pictures a second of both sides, and their ratio, as rows of a table."""
    network = torchvision(
        "squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors")
    )
    batch = _experiment(network, CLASSES)
    engine, shipped = _seconds(partial(_ours, batch), partial(_lucent, network, CLASSES, None))
    engine_again, equal = _seconds(partial(_ours, batch), partial(_lucent, network, CLASSES, SIDE))
    single_engine, single_lucent = _seconds(
        partial(_ours, _experiment(network, CLASSES[:1])), partial(_lucent, network, [0], None)
    )
    count = len(CLASSES)
    what = f"{count} class visualisations, {SIDE} px, {STEPS} steps, SqueezeNet 1.1"
    return [
        (f"{what}: pictures a second", f"{count / (STEPS * engine):.3f}"),
        (
            "the same, torch-lucent as shipped (its network reads 224 px), one batch",
            f"{count / (STEPS * shipped):.3f}, {shipped / engine:.1f} times as long",
        ),
        (
            "the same, torch-lucent as shipped, one picture after the other",
            f"{1 / (STEPS * single_lucent):.3f}, "
            f"{count * single_lucent / engine:.1f} times as long "
            f"({single_lucent / single_engine:.1f} of a single one of the engine)",
        ),
        (
            f"the same, torch-lucent made to read {SIDE} px too, one batch",
            f"{count / (STEPS * equal):.3f}, {equal / engine_again:.1f} times as long",
        ),
    ]


def _seconds(engine: Callable[[], None], peer: Callable[[], None]) -> tuple[float, float]:
    """Seconds a step of both, medians over turns; the first turn warms up."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 1):
        for side, run in enumerate((engine, peer)):
            start = time.process_time()
            run()
            if turn:
                seconds[side].append((time.process_time() - start) / TIMED_STEPS)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _experiment(network: Network, classes: list[int]) -> Experiment:
    """The recipe class_ascent_fourier."""
    transforms = Chain([Jitter(0.1), Scale(0.8, 1.2), Rotate(15.0)])
    objective = WeightedSum({"class": ClassScore(classes), "tv": TotalVariation(weight=0.01)})
    monitor = ClassScore(classes, "probability")
    return Experiment(
        network, Fourier(SIDE), objective, Gradient(STEPS, rate=0.05), transforms, monitor
    )


def _ours(experiment: Experiment) -> None:
    search, problem = experiment.search_method, experiment.problem
    rows: Rows = experiment.rows
    state = search.init(problem, rows)
    for step in range(TIMED_STEPS):
        state, _ = search.step(problem, rows, state, step)


def _lucent(network: Network, classes: list[int], size: int | None) -> None:
    # names that torch-lucent uses and that newer versions of kornia keep in a module of their own
    kornia.get_rotation_matrix2d = kornia_transform.get_rotation_matrix2d
    kornia.warp_affine = kornia_transform.warp_affine
    module = copy.deepcopy(network.module)  # it leaves its hooks behind
    terms: Any = objectives.channel("labels", classes[0], batch=0)
    for place, index in enumerate(classes[1:], 1):
        terms = terms + objectives.channel("labels", index, batch=place)
    with contextlib.redirect_stderr(io.StringIO()):
        render.render_vis(
            module,
            terms,
            partial(_image, len(classes)),
            thresholds=(TIMED_STEPS,),
            progress=False,
            show_image=False,
            fixed_image_size=size,
        )


def _image(batch: int) -> Any:
    return param.image(SIDE, batch=batch, fft=True, decorrelate=True)
