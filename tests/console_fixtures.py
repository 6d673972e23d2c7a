"""The console script in the process of the test.

A test file has it by ``pytest_plugins = "console_fixtures"``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from console import Ran, Synth, write_weights


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
