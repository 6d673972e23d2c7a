"""Small worlds to search in: functions whose optimum is known, and a network of two thousand random weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from synth.core import Cotangents, Evaluation, Genome, Problem, Rows, Search, State, StepReport
from synth.core.classes import Classes
from synth.core.network import Network
from synth.core.randomness import key_of

NAMES = ("goldfish", "king penguin", "teapot", "lemon", "school bus")
Score = Callable[[Tensor, Rows], Tensor]


def rows_of(count: int, *words: object) -> Rows:
    """`count` items whose keys are made from `words` and their number."""
    return Rows(torch.arange(count), torch.tensor([key_of(*words, item) for item in range(count)]))


class Analytic(Problem):
    """`score(genome, rows)`, [r, k] or [r], of genomes [r, *shape] that start at `begin(rows)`.

    Keeps how many genomes each call of `evaluate` was asked for, and whether it was asked for a gradient.
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
        self.asked: list[tuple[int, bool]] = []

    def start(self, rows: Rows) -> Genome:
        return self.begin(rows)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome if self.box is None else genome.clamp(*self.box)

    def baseline(self, rows: Rows) -> Genome | None:
        return self._baseline

    def at(self, **parts: Any) -> Problem:
        raise NotImplementedError

    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        self.asked.append((len(genome), cotangents is not None))
        genome = genome.detach().requires_grad_(cotangents is not None)
        gradient = None
        with torch.set_grad_enabled(cotangents is not None):
            scores = self.score(genome, rows)
            scores = scores[:, None] if scores.ndim == 1 else scores
        if cotangents is not None:
            covectors = cotangents(scores.detach())
            gradient = torch.stack(
                [
                    torch.autograd.grad(scores, genome, one, retain_graph=True)[0]
                    for one in covectors
                ]
            )
        scores = scores.detach()
        backwards = 0 if gradient is None else len(gradient)
        return Evaluation(scores, {"score": scores}, scores[:, 0].clone(), gradient, 1, backwards)


def quadratics(
    count: int, length: int, condition: float = 30.0, seed: int = 0
) -> tuple[Analytic, Tensor, Tensor]:
    """-(x - c)^T A (x - c) / 2, an A of its own `condition` number and a c an item; the problem, all A and all c."""
    draws = torch.Generator().manual_seed(seed)
    turns = torch.linalg.qr(
        torch.randn(count, length, length, generator=draws, dtype=torch.float64)
    ).Q
    stretch = torch.logspace(
        0, torch.log10(torch.tensor(condition)).item(), length, dtype=torch.float64
    )
    matrices = (turns * stretch) @ turns.mT
    centres = torch.randn(count, length, generator=draws, dtype=torch.float64)
    matrices, centres = matrices.float(), centres.float()

    def score(genome: Tensor, rows: Rows) -> Tensor:
        away = genome - centres.to(genome)[rows.item]
        return -0.5 * torch.einsum("ri,rij,rj->r", away, matrices.to(genome)[rows.item], away)

    return Analytic(score, lambda rows: rows.normal(length)), matrices, centres


def one_max(length: int, stochastic: bool = False) -> Analytic:
    """The count of genes above one half, the OneMax of the textbooks."""
    return Analytic(
        lambda genome, rows: (genome > 0.5).float().sum(1),
        lambda rows: (rows.uniform(length) < 0.5).float(),
        stochastic=stochastic,
        differentiable=False,
        box=(0.0, 1.0),
    )


def tiny_module(classes: int = 5, seed: int = 0, gain: float = 1.0) -> nn.Sequential:
    """16x16 pictures in, `classes` scores out; ReLUs in place, as torchvision has them. `gain` scales the scores."""
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


def evolved(
    search: Search, problem: Problem, rows: Rows, steps: int | None = None
) -> tuple[list[StepReport], list[State]]:
    """What each of the `steps` of `search` says (None: all it is meant to take), and the states after them."""
    state, said, states = search.init(problem, rows), [], []
    for step in range(search.steps if steps is None else steps):
        state, one = search.step(problem, rows, state, step)
        said.append(one)
        states.append(state)
    return said, states


def noisy_pictures(folder: Path, count: int, low: int = 40, high: int = 216) -> Path:
    """`folder` with `count` pictures of 16x16 pixels of noise, levels from `low` up to but not including `high`."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(low, high, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02}.png")
    return folder
