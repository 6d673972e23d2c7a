"""Folding: points of a sweep that are searched at once leave what they would have left alone."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from console import Synth, result_of, steps_of
from interrupted import Forked

from synth.record.lock import Lock

pytest_plugins = "console_fixtures"

SWEEP = "-m", "recipe=fooling_gradient", "search.steps=2", "exact=true", "target=goldfish,lemon"


def _left(sweep: str) -> dict[str, Any]:
    """What the points of a sweep have left, without their times, by folder."""
    left: dict[str, Any] = {}
    for folder in sorted(Path("runs", sweep).glob("*/")):
        result = result_of(folder) | {"seconds": 0, "overrides": 0}
        steps = [line | {"seconds": 0} for line in steps_of(folder)]
        items = [item | {"seconds": 0} for item in result["items"]]
        images = [path.read_bytes() for path in sorted(folder.rglob("*.png"))]
        files = sorted(path.name for path in folder.rglob("*"))
        left[folder.name] = result | {"items": items}, steps, images, files
    return left


@pytest.mark.parametrize("choice", ["transform=jitter views=2 seed=0,1"])
def test_a_folded_point_leaves_what_it_would_have_left_alone(
    choice: str, synth: Synth, weights: Path
) -> None:
    points = 2 * len(choice.partition("seed=")[2].split(","))
    words = [*choice.split(), f"network.weights={weights}"]
    alone = synth(*SWEEP, *words, "sweep=alone", "fold=false")
    assert alone.code == 0, alone.err
    folded = synth(*SWEEP, *words, "sweep=folded")
    assert folded.code == 0, folded.err
    assert folded.err.count(f"{points} points are searched at once") == 1
    assert len(_left("alone")) == points
    assert _left("folded") == _left("alone")
    assert not list(Path("runs/folded").glob(".fold*"))


def test_points_that_are_not_folded(synth: Synth, weights: Path) -> None:
    words = f"network.weights={weights}", "search.generations=1", "search.population=4"
    ran = synth(*("-m", "recipe=fooling_genetic", "seed=0,1", "fold=true"), *words)
    assert ran.code == 0, ran.err
    assert ran.err.count("only gradient searches of one picture are folded") == 1
    ran = synth(*SWEEP[:-1], f"network.weights={weights}", "target=lemon,[lemon,pizza],pizza")
    assert "2 points are searched at once" in ran.err
    assert len(list(Path("runs/fooling_gradient").glob("*/result.json"))) == 3
    ran = synth(*SWEEP[:-1], f"network.weights={weights}", "target=lemon,monarch,pizza,goldfish")
    assert ran.err.count("is finished already") == 2
    assert "2 points are searched at once" in ran.err
    line = synth(*SWEEP[:-1], f"network.weights={weights}", "fold=perhaps", "seed=1").err
    assert "fold=perhaps: write auto, true or false." in line


def test_a_folded_sweep_is_killed_and_goes_on(tmp_path: Path, synth: Synth, weights: Path) -> None:
    words = *SWEEP[:2], "search.steps=20", SWEEP[-1], "until=null", f"network.weights={weights}"
    assert synth(*words, "sweep=whole").code == 0
    process = Forked(*words, "sweep=killed", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/killed/.fold-*/checkpoint.safetensors")):
        assert time.monotonic() < deadline, process.log
        time.sleep(0.01)
    assert process.end_by(signal.SIGKILL) == -signal.SIGKILL
    (folder,) = Path("runs/killed").glob(".fold-*")
    with Lock(folder):
        line = synth(*words, "sweep=killed")
        assert line.code == 2
        assert line.err.count("is running there") == 1  # once for all points
    again = synth(*words, "sweep=killed")
    assert again.code == 0, again.err
    assert "resumed at step" in again.err
    assert json.dumps(list(_left("killed"))) == json.dumps(list(_left("whole")))
    for folder_name, (_, steps, images, _) in _left("whole").items():
        assert _left("killed")[folder_name][1:3] == (steps, images)
    assert not list(Path("runs/killed").glob(".fold*"))
