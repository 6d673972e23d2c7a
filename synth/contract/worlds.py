"""Small problems with a known optimum, and a tiny network of random weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from synth.core import Cotangents, Evaluation, Genome, Problem, Rows, Transform
from synth.core.classes import Classes
from synth.core.network import Network
from synth.core.randomness import key_of

NAMES = ("goldfish", "king penguin", "teapot", "lemon", "school bus")
Score = Callable[[Tensor, Rows], Tensor]


def rows_of(count: int, *words: object) -> Rows:
    """`count` items whose random keys are made from `words` and their number."""
    return Rows(torch.arange(count), torch.tensor([key_of(*words, item) for item in range(count)]))


class Analytic(Problem):
    """A problem whose score is a given function.

    Args:
        score: (genome [r, *shape], rows) -> [r, k] or [r].
        begin: rows -> initial genomes [r, *shape].
        stochastic: what the problem says of itself.
        differentiable: likewise.
        box: genomes are projected to this interval.
        baseline: the genome of a blank image.

    Attributes:
        calls: for each call of `evaluate` the number of genomes, and whether with a gradient.
    """

    stochastic = False
    differentiable = True

    def __init__(
        self,
        score: Score,
        begin: Callable[[Rows], Tensor],
        *,
        stochastic: bool = False,
        differentiable: bool = True,
        box: tuple[float, float] | None = None,
        baseline: Tensor | None = None,
    ) -> None:
        self.score, self.begin, self.box, self._baseline = score, begin, box, baseline
        self.stochastic, self.differentiable = stochastic, differentiable
        self.calls: list[tuple[int, bool]] = []

    def start(self, rows: Rows) -> Genome:
        return self.begin(rows)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome if self.box is None else genome.clamp(*self.box)

    def baseline(self, rows: Rows) -> Genome | None:
        return self._baseline

    def at(
        self, *, size: tuple[int, int] | None = None, transform: Transform | None = None
    ) -> Problem:
        raise NotImplementedError

    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        self.calls.append((len(genome), cotangents is not None))
        genome = genome.detach().requires_grad_(cotangents is not None)
        gradient = None
        with torch.set_grad_enabled(cotangents is not None):
            scores = self.score(genome, rows)
            scores = scores[:, None] if scores.ndim == 1 else scores
        if cotangents is not None:
            covectors = cotangents(scores.detach())
            products = [
                torch.autograd.grad(scores, genome, covector, retain_graph=True)[0]
                for covector in covectors
            ]
            gradient = torch.stack(products)
        scores = scores.detach()
        backwards = 0 if gradient is None else len(gradient)
        return Evaluation(scores, {"score": scores}, scores[:, 0].clone(), gradient, 1, backwards)


def one_max(length: int, stochastic: bool = False) -> Analytic:
    """OneMax: the number of genes above one half."""
    return Analytic(
        lambda genome, rows: (genome > 0.5).float().sum(1),
        lambda rows: (rows.uniform(length) < 0.5).float(),
        stochastic=stochastic,
        differentiable=False,
        box=(0.0, 1.0),
    )


def tiny_module(classes: int = 5, seed: int = 0, gain: float = 1.0) -> nn.Sequential:
    """A classifier of 16x16 images with in-place ReLUs, as torchvision has them.

    Args:
        classes: the number of logits.
        seed: of its random weights.
        gain: factor of the logits.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        module = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 8, 3, padding=1),
                relu1=nn.ReLU(inplace=True),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(8, 12, 3, padding=1),
                norm2=nn.BatchNorm2d(12),
                relu2=nn.ReLU(inplace=True),
                pool2=nn.AdaptiveAvgPool2d(4),
                flatten=nn.Flatten(),
                fc=nn.Linear(12 * 4 * 4, classes),
            )
        )
        with torch.no_grad():
            module.norm2.running_mean.normal_(0, 0.1)
            module.norm2.running_var.uniform_(0.05, 0.2)
            module.fc.weight.mul_(gain)
    return module


def wrapped(
    module: nn.Module,
    names: Sequence[str] = NAMES,
    size: tuple[int, int] = (16, 16),
    mean: Sequence[float] = (0.48, 0.45, 0.4),
    std: Sequence[float] = (0.23, 0.22, 0.25),
    precision: str = "float32",
) -> Network:
    """`module` as a network on the CPU."""
    return Network(
        module,
        name="tiny",
        classes=Classes(names, [f"n0000000{i}" for i in range(len(names))]),
        size=size,
        mean=mean,
        std=std,
        sha256="0" * 64,
        device="cpu",
        precision=precision,
    )
