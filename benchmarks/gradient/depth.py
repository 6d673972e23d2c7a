"""Cost of a run at several layers, each row read to the layer of its own item alone.

Beside it the same step with all rows read to the deepest of the layers. Processor time, medians
over interleaved pairs; run it with OMP_NUM_THREADS=1. The last row is so small that all rows pass
together.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from unittest import mock

import torch

from synth.core import Encoding, Objective, Rows, Transform, ones
from synth.core.network import Network
from synth.core.randomness import key_of
from synth.core.weighted_sum import WeightedSum
from synth.encodings.fourier import Fourier
from synth.encodings.perturbation import Perturbation
from synth.engine import fitness
from synth.engine.fitness import ImageProblem
from synth.networks.bundled import bundled
from synth.networks.torchvision import torchvision
from synth.objectives.energy import Energy
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.objectives.priors import AlphaNorm, TotalVariation
from synth.transforms.affine import Chain, Jitter

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
STRIP = [f"features.{place}" for place in (1, 4, 7, 9, 12)]
CONVOLUTIONS = [f"conv{place}" for place in range(1, 6)]
PAIRS = 9


def rows() -> list[tuple[str, str]]:
    """Milliseconds of a step and their share of those without the saving."""
    mini = bundled("mini_alexnet")
    squeeze = torchvision(
        "squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors")
    )
    photograph, jitter = Perturbation("china", longest=512), Jitter(0.06)
    texture = GramMatch("china", depth=[1, 2, 3, 4])
    steps = {
        "feature_inversion at features.1, .4, .7, .9, .12 of SqueezeNet 1.1, 224 px": _step(
            squeeze, _inversion(STRIP), Fourier((224, 224)), Chain(), 5
        ),
        "deepdream at the same layers of SqueezeNet 1.1, 512 px": _step(
            squeeze, Energy(STRIP), photograph, jitter, 5
        ),
        "texture depth=[1,2,3,4], SqueezeNet 1.1, 256 px": _step(
            squeeze, texture, Fourier((256, 256)), Chain(), 4
        ),
        "deepdream at conv1 to conv5 of mini AlexNet, 512 px": _step(
            mini, Energy(CONVOLUTIONS), photograph, jitter, 5
        ),
        "feature_inversion at conv1 to fc7 of mini AlexNet, 64 px": _step(
            mini, _inversion([*CONVOLUTIONS, "fc6", "fc7"]), Fourier((64, 64)), Chain(), 7
        ),
    }
    return [
        (f"a step of {name}", f"{1000 * seconds:.0f} ms, {share:.2f} of all rows to the deepest")
        for name, (seconds, share) in steps.items()
    ]


def _inversion(layers: list[str]) -> Objective:
    """As conf/recipe/feature_inversion.yaml has it."""
    terms = {
        "features": FeatureMatch(layers, image="china"),
        "tv": TotalVariation(per_pixel=True, weight=0.5),
        "alpha": AlphaNorm(per_pixel=True, weight=0.1),
    }
    return WeightedSum(terms)


def _step(
    network: Network, objective: Objective, encoding: Encoding, transform: Transform, items: int
) -> tuple[float, float]:
    """Seconds of scores and gradients of all items, and their share of those read to the end."""
    assert encoding.size is not None
    bound = objective.bind(network).at(encoding.size)
    problem = ImageProblem(network, encoding, transform, bound, bound)
    drawn = Rows(
        torch.arange(items), torch.tensor([key_of("depth", item) for item in range(items)])
    )
    genome = encoding.start(drawn)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(PAIRS):
        for side, least in enumerate((fitness.LEAST_CPU_PASS, 1 << 60)):
            with mock.patch.object(fitness, "LEAST_CPU_PASS", least):
                start = time.process_time()
                problem.evaluate(genome, drawn, ones)
                seconds[side].append(time.process_time() - start)
    ratios = [own / deepest for own, deepest in zip(*seconds, strict=True)][1:]
    return statistics.median(seconds[0][1:]), statistics.median(ratios)
