"""Figures of a device: steps, generations, pictures a second, CUDA graphs, bfloat16.

Each figure gives rows as soon as they are measured. Times are medians of repeated calls, the device
having finished each; a ratio is a median over calls that take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from synth.core import Rows
from synth.core.network import OUTPUT, Network
from synth.core.randomness import key_of
from synth.core.weighted_sum import WeightedSum
from synth.encodings.cppn import Cppn
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.networks.bundled import bundled
from synth.objectives.every_class import EveryClass
from synth.objectives.priors import L2, TotalVariation
from synth.objectives.scores import ClassScore
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.map_elites import MapElites
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation, Polynomial
from synth.searches.operators.selection import Tournament
from synth.searches.operators.simulated_binary import SimulatedBinary
from synth.searches.operators.topology import TopologyMutation

NETWORKS = ("mini_alexnet", "mini_resnet")
RATE = 0.02


@dataclass(frozen=True)
class Row:
    """One measured number.

    Attributes:
        figure: what it belongs to.
        what: what was measured.
        value: the number; None where it could not be measured.
        unit: of the number, or why there is none.
    """

    figure: str
    what: str
    value: float | None
    unit: str


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        batches: numbers of images of the figures of a network.
        population: individuals of a generation.
        items: pictures of a class ascent.
        steps: of a class ascent.
        repeats: calls whose median is taken.
        networks: names of bundled networks.
    """

    batches: tuple[int, ...] = (1, 16, 128, 1024)
    population: int = 4096
    items: int = 100
    steps: int = 100
    repeats: int = 20
    networks: tuple[str, ...] = NETWORKS


SHORT = Scale((1, 4), 16, 4, 4, 3, NETWORKS[:1])


def seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median time of `call`, after two calls that are not counted."""
    return _medians([call], device, repeats)[0]


def _medians(calls: list[Callable[[], object]], device: torch.device, repeats: int) -> list[float]:
    """The median time of each of `calls`, which take turns."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 2):
        for call, collected in zip(calls, times, strict=True):
            _wait(device)
            start = time.perf_counter()
            call()
            _wait(device)
            if turn >= 2:
                collected.append(time.perf_counter() - start)
    return [statistics.median(collected) for collected in times]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def precision(device: str, scale: Scale) -> Iterator[Row]:
    """Images a second through a network, in float32 and as searches read it."""
    for name in scale.networks:
        network = bundled(name, device=device)
        for batch in scale.batches:
            images = _noise(network, batch)
            for backward in (False, True):
                kind = "forward and backward" if backward else "forward"
                plain, fast = _medians(
                    [partial(_pass, network, images, fast, backward) for fast in (False, True)],
                    network.device,
                    scale.repeats,
                )
                what = f"{name}, {kind}, batch {batch}"
                copy = f"copy for searches ({network.precision})"
                yield Row("precision", f"{what}, as it is", batch / plain, "images/s")
                yield Row("precision", f"{what}, {copy}", batch / fast, "images/s")
                yield Row("precision", f"{what}: ratio", plain / fast, "times as fast")


def step(device: str, scale: Scale) -> Iterator[Row]:
    """A gradient step of the engine against the network's bare forward and backward."""
    for name in scale.networks:
        network = bundled(name, device=device)
        for batch in scale.batches[1:]:
            targets = [item % len(network.classes) for item in range(batch)]
            terms = {"class": ClassScore(targets), "l2": L2(), "tv": TotalVariation()}
            experiment = Experiment(network, Pixels(), WeightedSum(terms), Gradient(10_000))
            images = _noise(network, batch)
            calls = [
                partial(_pass, network, images, True, True),
                partial(_pass, network, images, False, True),
                stepping(experiment),
            ]
            fast, plain, engine = _medians(calls, network.device, scale.repeats)
            what = f"{name}, pixels + L2 + TV, batch {batch}"
            yield Row("step", what, 1e3 * engine, "ms a step")
            copy = f"the copy for searches ({network.precision})"
            yield Row("step", f"{what}: bare pass of {copy} / step", fast / engine, "")
            yield Row("step", f"{what}: bare pass of the network / step", plain / engine, "")


def generation(device: str, scale: Scale) -> Iterator[Row]:
    """A generation: evaluations a second, and the share of the network's forward passes."""
    network = bundled(NETWORKS[0], device=device)
    size = scale.population
    for name, (encoding, mate, mutate) in _variations().items():
        search = Genetic(Tournament(2), mate, mutate, generations=10_000, population=size)
        experiment = Experiment(network, encoding, ClassScore(0, "probability"), search)
        problem = experiment.problem
        genomes = problem.start(experiment.rows.split(size))
        rows = experiment.rows.split(size)
        calls = [
            partial(_read_in_chunks, experiment, _noise(network, size)),
            partial(problem.evaluate, genomes, rows),
            stepping(experiment),
        ]
        network_alone, evaluation, whole = _medians(calls, network.device, scale.repeats)
        what = f"population {size}, {name}"
        yield Row("generation", what, size / whole, "evaluations/s")
        yield Row("generation", f"{what}: network's share", network_alone / whole, "")
        yield Row("generation", f"{what}: share of decoding and network", evaluation / whole, "")
    targets = list(range(len(network.classes)))
    search = MapElites(TopologyMutation(), steps=10_000, batch=size)
    experiment = Experiment(network, Cppn(), EveryClass(targets), search)
    time_of_step = seconds(stepping(experiment), network.device, scale.repeats)
    yield Row("generation", f"map_elites, CPPN, batch {size}", size / time_of_step, "evaluations/s")


def ascent(device: str, scale: Scale) -> Iterator[Row]:
    """Class ascent, pictures a second, against a plain loop of torch on the same network."""
    for name in scale.networks:
        network = bundled(name, device=device)
        targets = [item % len(network.classes) for item in range(scale.items)]
        terms = {"class": ClassScore(targets), "l2": L2(), "tv": TotalVariation()}
        experiment = Experiment(
            network, Pixels(), WeightedSum(terms), Gradient(scale.steps, "adam", RATE)
        )
        calls: list[Callable[[], object]] = [
            experiment.search,
            partial(plain_loop, network, targets, scale.steps, fast=False),
            partial(plain_loop, network, targets, scale.steps, fast=True),
        ]
        times = _medians(calls, network.device, max(3, scale.repeats // 5))
        what = f"{name}, {scale.items} classes, {scale.steps} steps"
        kinds = (
            "synth",
            "plain loop",
            f"plain loop on the copy for searches ({network.precision})",
        )
        for kind, elapsed in zip(kinds, times, strict=True):
            yield Row("ascent", f"{what}, {kind}", scale.items / elapsed, "pictures/s")


def plain_loop(network: Network, targets: list[int], steps: int, fast: bool) -> Tensor:
    """What one would write without the engine: Adam on pixels, the same kinds of terms.

    Args:
        network: the classifier.
        targets: a class for each picture.
        steps: of Adam.
        fast: whether it reads the network's copy for searches.

    Returns:
        The pictures [n, 3, h, w].
    """
    images = _noise(network, len(targets)).requires_grad_()
    index = torch.tensor(targets, device=network.device)[:, None]
    optimiser = torch.optim.Adam([images], RATE)
    for _ in range(steps):
        logits = network.read(images, (OUTPUT,), fast=fast)[OUTPUT]
        across, down = images.diff(dim=3), images.diff(dim=2)
        variation = across.square().mean((1, 2, 3)) + down.square().mean((1, 2, 3))
        score = logits.gather(1, index)[:, 0] - variation - (images - 0.5).square().mean((1, 2, 3))
        optimiser.zero_grad(set_to_none=True)
        (-score.sum()).backward()
        optimiser.step()
        with torch.no_grad():
            images.clamp_(0, 1)
    return images.detach()


def graphs(device: str, scale: Scale) -> Iterator[Row]:
    """The network's forward and backward as a CUDA graph, against launching its kernels."""
    if not device.startswith("cuda"):
        yield Row("graphs", "CUDA graphs", None, f"{device} has none")
        return
    for name in scale.networks:
        network = bundled(name, device=device)
        for batch in scale.batches:
            images = _noise(network, batch)
            eager, replay = _medians(
                [partial(_pass, network, images, True, True), graph_of(network, images).replay],
                network.device,
                scale.repeats,
            )
            what = f"{name}, forward and backward, batch {batch}"
            yield Row("graphs", f"{what}, launched", 1e3 * eager, "ms")
            yield Row("graphs", f"{what}, graph", 1e3 * replay, "ms")
            yield Row("graphs", f"{what}: ratio", eager / replay, "times as fast")


def graph_of(network: Network, images: Tensor) -> torch.cuda.CUDAGraph:
    """The recorded kernels of a forward and backward pass on `images`, at that address."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what libraries choose and allocate at first use
        for _ in range(3):
            _pass(network, images, True, True)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        _pass(network, images, True, True)
    return graph


FIGURES: dict[str, Callable[[str, Scale], Iterator[Row]]] = {
    "precision": precision,
    "graphs": graphs,
    "step": step,
    "generation": generation,
    "ascent": ascent,
}


def stepping(experiment: Experiment) -> Callable[[], None]:
    """A function that takes the next step of the experiment's search."""
    search, problem, rows = experiment.search_method, experiment.problem, experiment.rows
    state = search.init(problem, rows)
    number = 0

    def take() -> None:
        nonlocal state, number
        state, _ = search.step(problem, rows, state, number)
        number += 1

    return take


def _pass(network: Network, images: Tensor, fast: bool, backward: bool) -> None:
    """The network alone: the sum of the first class's logits, and its gradient by the images."""
    if not backward:
        with torch.inference_mode():
            network.read(images, (OUTPUT,), fast=fast)
        return
    images = images.detach().requires_grad_()
    logits = network.read(images, (OUTPUT,), fast=fast)[OUTPUT]
    torch.autograd.grad(logits[:, 0].sum(), images)


def _read_in_chunks(experiment: Experiment, images: Tensor) -> None:
    """Forward passes of `images` in the chunks in which the experiment evaluates them."""
    problem = experiment.problem
    with torch.inference_mode():
        for chunk in problem._chunks(len(images), problem.encoding):
            part = images if chunk is None else images[chunk]
            problem.network.read(part, problem.layers, fast=True)


def _noise(network: Network, count: int) -> Tensor:
    keys = torch.tensor([key_of("noise", item) for item in range(count)], device=network.device)
    return Rows(torch.arange(count, device=network.device), keys).uniform(3, *network.size)


def _variations() -> dict[str, tuple]:
    """Encodings with a crossover and a mutation each."""
    return {
        "pixels, Gaussian": (Pixels(), UniformCrossover(0.8), GaussianMutation(0.1, 0.05)),
        "pixels, SBX": (
            Pixels(),
            SimulatedBinary(eta=10.0, low=0.0, high=1.0),
            Polynomial(eta=15.0, rate=0.1),
        ),
        "CPPN": (Cppn(), UniformCrossover(0.0), TopologyMutation()),
    }
