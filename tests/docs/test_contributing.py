"""The whole parts that CONTRIBUTING.md shows are parts, and the files it names exist."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from console import ROOT, Synth
from small_worlds import rows_of

from synth.core import Objective, Readout
from synth.core.network import OUTPUT, Network

pytest_plugins = "console_fixtures"

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)


def _defined(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_objective_scores_images(network: Network) -> None:
    objective = _defined(next(block for block in BLOCKS if "class Brightness" in block))
    brightness = objective["Brightness"]()
    assert isinstance(brightness, Objective)
    images = torch.full((2, 3, 16, 16), 0.25)
    scores = brightness.bind(network)(Readout({}, images, rows_of(2)))
    assert torch.equal(scores["brightness"], torch.full((2, 1), 0.25))


def test_the_network_reads_images() -> None:
    untrained = _defined(next(block for block in BLOCKS if "def untrained" in block))["untrained"]
    images = torch.rand(2, 3, 32, 32)
    network = untrained(device="cpu")
    assert network.read(images, [OUTPUT])[OUTPUT].shape == (2, 10)
    assert torch.equal(untrained(device="cpu")(images), network(images))


def test_a_part_outside_this_package_runs_and_is_held_to_the_contract(
    synth: Synth, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = TEXT[TEXT.index("## Parts outside this package") :]
    module, part, commands, points = re.findall(r"```\w*\n(.*?)```", section, flags=re.S)[:4]
    (name,) = re.findall(r"`(my_conf/\w+/\w+\.yaml)`", section)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(part)
    (tmp_path / "my_parts.py").write_text(module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    run, tests = (shlex.split(line, comments=True) for line in commands.strip().splitlines())
    ran = synth(*run[1:], f"network.weights={weights}", "steps=2", "folder=out", "device=cpu")
    assert ran.code == 0, ran.err
    assert "colour" in (tmp_path / "out/.hydra/config.yaml").read_text()
    variable, *words = tests
    monkeypatch.setenv(*variable.split("="))
    outcomes = _Outcomes()
    assert words[0] == "pytest"
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-k", "objective", "-qs"]
    assert pytest.main([*words[1:], *options], plugins=[outcomes]) == 0
    assert len(outcomes.passed) == 10
    assert tomllib.loads(points)["project"]["entry-points"].keys() == {"synth.plugins"}


class _Outcomes:
    """A pytest plug-in that lists the tests that have passed."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.append(report.nodeid)


def test_the_files_it_names_are_there() -> None:
    for name in re.findall(r"`((?:synth|docs|tests)/[\w./]+\.(?:py|md))`", TEXT):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`((?:core|engine|networks|objectives|operators)/\w+\.py)`", TEXT):
        assert list((ROOT / "synth").rglob(name)), name
