"""Bad inputs drawn at random, in short: each runs, or is refused in one line."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from console import ROOT, Synth

pytest_plugins = "console_fixtures"

COUNT = 10
FAST = ("fooling_gradient", "class_ascent ", "onemax", "layers")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks after imports")
def test_a_few_inputs(synth: Synth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.abuse import inputs

    assert synth("recipe=fooling_gradient", "search.steps=1").code == 0  # imports for the forks
    material = inputs.prepared(tmp_path / "material")
    commands = [line for line in inputs.COMMANDS if f"{line} ".startswith(FAST, len("recipe="))]
    outcomes = []
    for seed in range(COUNT):
        drawn = inputs.draw(random.Random(seed), material, commands)
        outcome, text = inputs.run(drawn, tmp_path / "cwd")
        assert outcome in ("ran", "refused in one line"), f"{outcome}: {drawn.line}\n{text}"
        outcomes.append(outcome)
    assert len(set(outcomes)) == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks after imports")
def test_what_is_not_accepted_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.abuse import inputs
    from synth.cli import jobs

    def outcome(run: Callable[[Any, Any], object], *words: str, is_number: bool = False) -> str:
        monkeypatch.setattr(jobs, "run", run)
        drawn = inputs.Drawn(["recipe=layers", "folder=out", *words], is_number)
        return inputs.run(drawn, tmp_path / "cwd")[0]

    assert outcome(lambda *_: Path("out")) == "ran"
    assert outcome(lambda *_: Path("out"), is_number=True) == "accepted nan"
    assert outcome(lambda *_: 1 / 0) == "tracebacks"
    assert outcome(lambda *_: Path("out"), "nope=1") == "refused in one line"
    monkeypatch.setattr(inputs, "PATIENCE", 0.5)
    assert outcome(lambda *_: time.sleep(60)) == "hangs"
