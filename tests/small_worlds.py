"""Small problems with a known optimum, and a tiny network of random weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from synth.core import (
    Cotangents,
    Evaluation,
    Genome,
    Problem,
    Rows,
    Search,
    State,
    StepReport,
    Transform,
)
from synth.core.classes import Classes
from synth.core.network import Network
from synth.core.randomness import key_of

COLOURS = {"blue": (30, 30, 200), "green": (30, 200, 30), "red": (200, 30, 30)}
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


def quadratics(
    count: int, length: int, condition: float = 30.0, seed: int = 0
) -> tuple[Analytic, Tensor, Tensor]:
    """Maximise -(x - c)^T A (x - c) / 2, with an A of `condition` number and a c an item.

    Returns:
        The problem, all A [count, length, length] and all c [count, length].
    """
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
        change = genome - centres.to(genome)[rows.item]
        return -0.5 * torch.einsum("ri,rij,rj->r", change, matrices.to(genome)[rows.item], change)

    return Analytic(score, lambda rows: rows.normal(length)), matrices, centres


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


def modules_of(network: Network) -> list[nn.Module]:
    """The network's module and the copies of it that searches read."""
    copies = [network._inference_copy(fold).module for fold in (True, False)]
    return list(dict.fromkeys([network.module, *copies]))


def count_passes(network: Network) -> list[int]:
    """The number of images in each forward pass from here on, that of a search or a plain one."""
    passes: list[int] = []
    for module in modules_of(network):
        module.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    return passes


def unanswering() -> Network:
    """A network that answers NaN for every image."""
    module = tiny_module()
    with torch.no_grad():
        module.fc.bias[3] = torch.nan
    return wrapped(module)


def overflowing(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with kernels of 3e38, finite numbers that overflow as soon as they are added."""
    draws = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(value.shape, generator=draws).sign() * 3e38
        if value.ndim > 1
        else value.float()
        if value.is_floating_point()
        else value
        for name, value in tensors.items()
    }


def evolved(
    search: Search, problem: Problem, rows: Rows, steps: int | None = None
) -> tuple[list[StepReport], list[State]]:
    """Reports of the `steps` of `search` (None: its own number), and the states after them."""
    state = search.init(problem, rows)
    reports = []
    states = []
    for step in range(search.steps if steps is None else steps):
        state, report = search.step(problem, rows, state, step)
        reports.append(report)
        states.append(state)
    return reports, states


def noisy_pictures(folder: Path, count: int, low: int = 40, high: int = 216) -> Path:
    """A new `folder` with `count` pictures of 16x16 pixels of noise, levels in [low, high)."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(low, high, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02}.png")
    return folder


def write_colour_folders(root: Path, each: int, size: int, colours: Sequence[str]) -> Path:
    """Writes a class folder for each of `colours` below `root`, of noisy PNGs of that colour.

    Args:
        root: the folder to make.
        each: pictures a class.
        size: their side in pixels.
        colours: keys of `COLOURS`.
    """
    random = np.random.default_rng(len(root.name) + each)
    for colour in colours:
        folder = root / colour
        folder.mkdir(parents=True)
        for number in range(each):
            noisy = np.array(COLOURS[colour]) + random.normal(0, 20, (size, size, 3))
            path = folder / f"{number:02d}.png"
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    return root
