"""The contract of every network in conf/network/.

Those whose weights are not there are built by the same YAML from a file of random weights.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from console import CONF, write_weights
from omegaconf import OmegaConf
from parts import names
from torchvision import models

from synth.contract.parts import part
from synth.contract.test_network import *  # noqa: F403
from synth.contract.test_network import check, settings_of
from synth.networks import architectures

# as they are written: composing each while tests are collected takes seconds
WRITTEN = {name: OmegaConf.load(CONF / f"network/{name}.yaml") for name in names("network")}
OURS = [name for name, written in WRITTEN.items() if written.get("name") in architectures.names()]
TORCHVISION = "synth.networks.torchvision.torchvision"
OF_TORCHVISION = [name for name, written in WRITTEN.items() if written["_target_"] == TORCHVISION]


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_torchvision_has_a_network_of_that_name(name: str) -> None:
    assert settings_of(name)["name"] in models.list_models(module=models)


@pytest.mark.parametrize("name", OURS)
def test_a_network_of_ours(name: str, tmp_path: Path) -> None:
    file = write_weights(tmp_path / "tiny.safetensors", str(settings_of(name)["name"]))
    network = part("network", name, f"network.weights={file}", "device=cpu")
    assert len(network.classes) == 10
    check(network)


def test_a_network_of_torchvision(tmp_path: Path) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        state = models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, tmp_path / "squeezenet1_1.pth")
    network = part(
        "network", "squeezenet1_1", f"network.weights={tmp_path}/squeezenet1_1.pth", "device=cpu"
    )
    assert len(network.classes) == 1000
    check(network)
    assert network.classes.index("goldfish") == 1
    assert network.classes.index("n01443537") == 1
    same = part(
        "network", "torchvision", f"network.weights={tmp_path}/squeezenet1_1.pth", "device=cpu"
    )
    assert same is network  # loaded once in a process
