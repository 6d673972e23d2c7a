"""Runs that no machine has the memory for are refused before they take any."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest
import torch
from console import Synth
from small_worlds import modules_of, tiny_module, wrapped
from torch import Tensor

from synth.config.process import limit_to_machine
from synth.core.hardware import total_memory
from synth.engine.memory import _gradient_bytes

pytest_plugins = "console_fixtures"

# what is typed: what the line must say
TYPED = {
    "recipe=fooling_gradient target=goldfish views=1000000000": ["views=1000000000", "GB"],
    "recipe=fooling_gradient target=goldfish views=1000000000000000000": ["views=1", "GB"],
    "recipe=fooling_gradient target=lemon encoding=several_images encoding.count=1000000000": [
        "encoding: reading the 1000000000 images",
        "GB",
    ],
    "recipe=fooling_genetic search.population=1000000": ["search", "3000000 genomes", "GB"],
    "recipe=fooling_cma search.population=100000000": ["search", "100000000 genomes", "GB"],
    "recipe=map_elites search.batch=1000000000": ["search", "1000000000 genomes", "GB"],
    "recipe=class_ascent search=lbfgs target=goldfish search.memory=100000000": ["search", "GB"],
    "recipe=onemax length=10000000000": ["length=10000000000", "GB"],
    "recipe=onemax population=10000000000": ["population=10000000000", "GB"],
}


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 GB, so that the lines do not depend on where the tests run."""
    monkeypatch.setattr("synth.engine.memory.total_memory", lambda device: 16 * 10**9)


@pytest.mark.parametrize("typed", TYPED)
def test_absurd_numbers(typed: str, synth: Synth, weights: Path, small_machine: None) -> None:
    network = [] if "onemax" in typed else [f"network.weights={weights}"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = synth(*typed.split(), *network, "folder=out").complaint
    assert not [fragment for fragment in TYPED[typed] if fragment not in line], line
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB
    assert not Path("out/result.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_what_was_not_foreseen_ends_in_a_line_too(
    synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that an allocation does not get: the largest number that was typed is named."""

    def greedy(*_: object) -> None:
        torch.ones(total_memory(torch.device("cpu")) // 4 + 1)  # not limited, it would be written

    monkeypatch.setattr("synth.searches.gradient.Gradient.init", greedy)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    start = time.monotonic()
    try:
        words = ("recipe=fooling_gradient", "target=lemon", "search.steps=77", "seed=3")
        line = synth(*words, f"network.weights={weights}", "folder=out").complaint
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert line.startswith("search.steps=77: memory ran out; write a smaller number there")
    assert time.monotonic() - start < 30


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("share", [1, 2])
def test_a_limit_that_the_user_has_set_is_not_raised(
    share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    own = 1 << 50
    monkeypatch.setattr("synth.core.hardware.total_memory", lambda device: share * own // 2 + 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (own, before[1]))
        limit_to_machine()
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == min(own, share * own // 2 + 1)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.parametrize("layers", [("conv1",), ("conv2",), ("conv1", "relu2"), ()])
@pytest.mark.parametrize("fit", [False, True])
def test_the_estimate_of_what_a_gradient_keeps_is_never_too_large(
    layers: tuple[str, ...], fit: bool
) -> None:
    network = wrapped(tiny_module())
    network.fit = fit  # images are then read at the network's own size
    weights = {value.data_ptr() for module in modules_of(network) for value in module.parameters()}
    stored: dict[int, int] = {}

    def note(value: Tensor) -> Tensor:
        stored[value.data_ptr()] = value.nbytes
        return value

    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        outputs = network.read(images, layers, fast=True)
    stored |= {value.data_ptr(): value.nbytes for value in outputs.values()}
    real = sum(size for place, size in stored.items() if place not in weights)
    estimate = _gradient_bytes(network, layers, (64, 64))
    assert 2 * estimate <= real <= 20 * estimate  # bfloat16 has half of the bytes
