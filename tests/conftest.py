"""What all tests share: one thread a process, properties tried alike, a tiny network."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import settings
from small_worlds import tiny_module, wrapped

from synth.contract.fixtures import one_thread_for_all, the_same_draws
from synth.core.network import Network
from synth.engine import experiment, observer

__all__ = ["one_thread_for_all", "the_same_draws"]

gc.set_threshold(20_000, 20, 20)  # importing and composing make many objects and little garbage
settings.register_profile("synth", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("synth")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A process a core for folders of tests; none beside this one for single files and tests.

    Each process imports torch, which takes as long as the tests of a file.
    """
    paths = [Path(word.partition("::")[0]) for word in config.args]
    return 0 if paths and all(path.is_file() for path in paths) else None


def pytest_collection_finish() -> None:
    """Leaves half a million objects of modules and tests out of every search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def network() -> Network:
    """Random weights, 16x16 pictures, the five classes of `small_worlds.NAMES`, ReLUs in place."""
    return wrapped(tiny_module())


@pytest.fixture
def loud_network() -> Network:
    """The same with logits eight times as far apart, so that a search can raise a probability."""
    return wrapped(tiny_module(gain=8.0))


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint and a flush after every step."""
    monkeypatch.setattr(observer, "CHECKPOINT_EVERY", -1.0)
    monkeypatch.setattr(experiment, "REPORT_EVERY", -1.0)
