"""What tests share beside the small worlds of the contract, which are had from here too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from synth.contract.worlds import NAMES, Analytic, one_max, rows_of, tiny_module, wrapped
from synth.core import Encoding, Problem, Rows, Search, State, StepReport
from synth.core.network import Network

__all__ = [
    "COLOURS",
    "NAMES",
    "Analytic",
    "Rounded",
    "count_passes",
    "evolved",
    "modules_of",
    "noisy_pictures",
    "one_max",
    "overflowing",
    "quadratics",
    "rows_of",
    "tiny_module",
    "unanswering",
    "wrapped",
    "write_colour_folders",
]

COLOURS = {"blue": (30, 30, 200), "green": (30, 200, 30), "red": (200, 30, 30)}


class Rounded(Encoding):
    """Pixels that are black or white, through which there is no gradient."""

    differentiable = False

    def __init__(self, size: int) -> None:
        self.size = size, size

    def start(self, rows: Rows) -> Tensor:
        return rows.uniform(3, *self.size)

    def decode(self, genome: Tensor, rows: Rows) -> Tensor:
        return genome.round()

    def project(self, genome: Tensor, rows: Rows) -> Tensor:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Rounded:
        return Rounded(size[0])


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


def traits(module: nn.Module) -> list[object]:
    """All that wrapping could change: modes, flags, hooks, and each tensor's place and layout."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [
        [part.training for part in module.modules()],
        [getattr(part, "inplace", None) for part in module.modules()],
        [len(part._forward_hooks) for part in module.modules()],
        [
            (name, value.requires_grad, value.device, value.stride(), value.data_ptr())
            for name, value in tensors
        ],
        [value.detach().flatten().tolist() for _, value in tensors],
    ]
