"""What all tests share: one thread, properties tried the same way in every run, a tiny network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from small_worlds import tiny_module, wrapped

from synth.core.network import Network
from synth.engine import experiment, observer

settings.register_profile("synth", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("synth")


@pytest.fixture(autouse=True, scope="session")
def one_thread_for_all() -> Iterator[None]:
    """Threads that wait for each other over a few hundred numbers cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def the_same_draws() -> None:
    """A test that draws from torch draws the same alone and after any other."""
    torch.manual_seed(0)


@pytest.fixture
def network() -> Network:
    """Random weights, 16x16 pictures, the five classes of `small_worlds.NAMES`, ReLUs in place."""
    return wrapped(tiny_module())


@pytest.fixture
def loud_network() -> Network:
    """The same with scores eight times as far apart, so that a search can make it sure of a class."""
    return wrapped(tiny_module(gain=8.0))


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint and a flush after every step."""
    monkeypatch.setattr(observer, "CHECKPOINT_EVERY", -1.0)
    monkeypatch.setattr(experiment, "REPORT_EVERY", -1.0)
