"""Parts as somebody else would write them, some with type hints and some without.

The tests copy this file to where a user's module or an installed plug-in would stand.
"""

from __future__ import annotations

import torch
from torch import nn

from synth.core import (
    BoundObjective,
    Crossover,
    Encoding,
    Mutation,
    Objective,
    Search,
    Selection,
    StepReport,
    Survival,
    Transform,
    ones,
)
from synth.core.network import Network
from synth.engine.metric import FigureMaker, Metric
from synth.errors import InputError
from synth.probes.probe import Measurement, Probe
from synth.record.job import Job
from synth.record.result import Figure, Result


class Screen(Encoding):
    """Grey cells, without type hints."""

    scalable = True

    def __init__(self, size=None, cells=4):
        self.size = (size, size) if isinstance(size, int) else size
        self.cells = cells

    def start(self, rows):
        return 0.5 + 0.1 * rows.normal(self.cells, self.cells)

    def decode(self, genome, rows):
        grey = nn.functional.interpolate(genome[:, None].clamp(0, 1), self.size)
        return grey.repeat(1, 3, 1, 1)

    def project(self, genome, rows):
        return genome.clamp(0, 1)

    def at(self, size):
        return Screen(size, self.cells)


class Contrast(Objective):
    """The variance of the pixels."""

    def __init__(self, weight: float = 1.0, power: int = 1, words: list[str] | None = None) -> None:
        self.weight, self.power = weight, power

    def bind(self, network: Network) -> BoundObjective:
        return _Bound()


class _Bound(BoundObjective):
    def __call__(self, readout):
        return {"contrast": readout.images.flatten(1).var(1)[:, None]}


class Ascent(Search):
    """Plain gradient ascent."""

    gradient = True

    def __init__(self, steps=2, rate=0.1):
        self.steps, self.rate = steps, rate

    def init(self, problem, rows, genome=None):
        return {"genome": problem.start(rows) if genome is None else genome}

    def passes(self, stochastic, items=1):
        return 3

    def step(self, problem, rows, state, step):
        genome = state["genome"]
        result = problem.evaluate(genome, rows, ones)
        count = torch.ones(len(rows), dtype=torch.int64)
        report = StepReport(genome, result.scores[:, 0], result.monitor, count, count)
        return {"genome": problem.project(genome + self.rate * result.gradient[0], rows)}, report


class First(Selection):
    def __call__(self, fitness, count, rows):
        return fitness.argmax(1, keepdim=True).expand(-1, count)


class Swap(Crossover):
    def __call__(self, genomes, rows):
        return genomes.clone()


class Shake(Mutation):
    def __init__(self, step=0.1):
        self.length = step

    def __call__(self, genomes, rows, strength=None):
        return genomes + self.length * rows.normal(*genomes.shape[1:])


class Newest(Survival):
    def offspring_count(self, population):
        return population

    def __call__(self, parents, offspring, rows):
        order = offspring["fitness"].argsort(dim=1, descending=True, stable=True)
        return {
            key: value.gather(
                1, order.reshape(*order.shape, *[1] * (value.ndim - 2)).expand_as(value)
            )
            for key, value in offspring.items()
        }


class Dim(Transform):
    stochastic = False

    def __call__(self, images, rows):
        return images * 0.9


class Mean(Metric):
    def __call__(self, outcome):
        return {"mean_score": float(outcome.state.score[0])}


class Grey(FigureMaker):
    def __call__(self, outcome):
        image = torch.full((3, 16, 16), 0.5)
        return [Figure(outcome.record.picture(0, image, {}, "grey"), "Grey.")]


def tiny(classes=5):
    """A network, by a function without type hints."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
        module.append(nn.Linear(4 * 14 * 14, classes))
    return Network(module, name="tiny", size=(16, 16), device="cpu")


def flexible(**settings):
    """The same, by one that takes any name."""
    return tiny(len(settings))


class Count(Probe):
    def measure(self, record):
        return Measurement({"layers": len(self.network.layers)})


class Nothing(Job):
    """A job with a key of its recipe beside its own."""

    def __init__(self, message: str) -> None:
        self.message = message

    def run(self, record):
        return Result(status="done", findings={"message": self.message})


class Plain:
    """No part."""


class Failing(Screen):
    """Refuses what it is given, and fails where it is given nothing."""

    def __init__(self, message=None):
        if message:
            raise InputError(message)
        {}["a"]


class Unfinished(Encoding):
    """Lacks everything."""
