"""Launchers and the search over settings: what is not there is named, what was run is not again."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from console import Synth, result_of
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from omegaconf import OmegaConf

from synth.cli.folding import Folding
from synth.cli.jobs import _Job
from synth.cli.launchers import not_installed
from synth.config import exchange
from synth.config.composing import CONF

pytest_plugins = "console_fixtures"

SPACE = (
    "search.rate=tag(log,interval(0.001,0.1))",
    "search/regularisers=choice(none,light)",
    "hydra.sweeper.startup=2",
)


def test_settings_are_searched_by_optuna(synth: Synth, weights: Path) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    words = ["-m", "class_ascent", "search.steps=1", f"network.weights={weights}", *SPACE]
    words += ["hydra/sweeper=optuna", "sweep=study"]
    line = synth(*words, "hydra.sweeper.finding=median_confidenze", "hydra.sweeper.trials=1").err
    assert "no such finding. Did you mean median_confidence" in line
    assert synth(*words, "hydra.sweeper.trials=1").code == 0
    ran = synth(*words, "hydra.sweeper.trials=2")
    assert ran.code == 0, ran.err
    assert ran.err.count(" -> ") == 1  # the point before is not run again
    folders = [path.parent for path in Path("runs/study").glob("*/result.json")]
    values = {result_of(folder)["findings"]["median_confidence"] for folder in folders}
    best = json.loads(Path("runs/study/best.json").read_text())
    assert best["value"] == max(values)
    assert 0.001 <= best["settings"]["search.rate"] <= 0.1
    assert synth(*words, "hydra.sweeper.trials=0").complaint.startswith("hydra.sweeper.trials=0")


def test_a_search_over_nothing(synth: Synth) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    line = synth("-m", "layers", "hydra/sweeper=optuna").complaint
    assert "nothing varies; write key=interval(LOW,HIGH)" in line


def test_a_cluster_that_is_not_there(synth: Synth) -> None:
    words = "hydra/launcher=ray_cluster", "hydra.launcher.ray.init.address=127.0.0.1:9"
    line = synth("-m", "layers", "network=mini_alexnet,mini_resnet", *words).complaint
    assert "no Ray cluster answers there" in line
    assert 'pip install "synth[ray]"' in not_installed("hydra/launcher", "ray_cluster")


def test_what_a_launcher_sends_to_its_workers() -> None:
    path = create_config_search_path(str(CONF))
    loader = exchange._Loader(path)
    loader.load_configuration("config", ["recipe=layers"], run_mode=RunMode.MULTIRUN)
    job = _Job(["-m"], Folding(["seed=1,2"]))
    again, worker = pickle.loads(pickle.dumps([loader, job]))
    assert worker.typed == ["-m"]
    assert OmegaConf.has_resolver("synth.point")
    assert again.get_sources()[0].path == loader.get_sources()[0].path
