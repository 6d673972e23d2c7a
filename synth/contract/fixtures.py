"""Fixtures of the contract: the command line in this process, weights, the same random draws."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from synth.contract.console import Ran, Synth, write_weights


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
def synth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Synth]:
    """``synth("recipe=layers", ...)``: the command line, run in the folder of the test."""
    from hydra.core.global_hydra import GlobalHydra

    from synth.cli.command import main
    from synth.record import progress

    log = logging.getLogger("synth")
    before = log.handlers, log.level, log.propagate, progress.live, torch.get_num_threads()
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # the command sets it; the test takes it back
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)

    def command(*words: object) -> Ran:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["synth", *map(str, words)])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        output = capsys.readouterr()
        return Ran(code, output.out, output.err)

    yield command
    GlobalHydra.instance().clear()
    log.handlers, log.level, log.propagate, progress.live = before[:4]
    torch.set_num_threads(before[4])


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of an untrained mini AlexNet of ten classes, as a training writes it."""
    return write_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")
