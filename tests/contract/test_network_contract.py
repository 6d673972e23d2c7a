"""The contract of networks: built from a file alone, and read at every layer in one pass."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from console import write_weights
from hydra.utils import get_object
from parts import composed, names, overrides_of, part
from torchvision import models

from synth.core.network import OUTPUT, Network
from synth.networks import architectures

OURS = [
    name
    for name in names("network")
    if composed(f"network={name}")["network"].get("name") in architectures.names()
]


@pytest.mark.parametrize("name", names("network"))
def test_the_configuration_names_what_exists(name: str) -> None:
    settings = composed(f"network={name}", *overrides_of("network", name))["network"]
    target = settings.pop("_target_")
    assert settings.keys() <= inspect.signature(get_object(target)).parameters.keys()
    assert settings["device"] == "auto"
    choices = {"torchvision": models.list_models(module=models), "trained": architectures.names()}
    assert settings["name"] in choices.get(target.rsplit(".", 1)[-1], [settings["name"]])


def _check(network: Network, classes: int) -> None:
    assert len(network.classes) == classes
    images = torch.rand(2, 3, *network.size)
    activations = network.read(images, network.layers)
    assert list(network.layers)[-1] == OUTPUT
    for name, shape in network.layers.items():
        assert activations[name].shape == (2, *shape)
    assert activations[OUTPUT].shape == (2, classes)
    assert bool(activations[OUTPUT].isfinite().all())
    assert not any(value.requires_grad for value in network.parameters())
    assert not any(inner.training for inner in network.module.modules())


@pytest.mark.parametrize("name", OURS)
def test_a_network_of_ours(name: str, tmp_path: Path) -> None:
    file = write_weights(
        tmp_path / "tiny.safetensors", composed(f"network={name}")["network"]["name"]
    )
    _check(part("network", name, f"network.weights={file}", "device=cpu"), classes=10)


def test_a_network_of_torchvision(tmp_path: Path) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        state = models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, tmp_path / "squeezenet1_1.pth")
    network = part(
        "network", "squeezenet1_1", f"network.weights={tmp_path}/squeezenet1_1.pth", "device=cpu"
    )
    _check(network, classes=1000)
    assert network.classes.index("goldfish") == 1
    assert network.classes.index("n01443537") == 1
    same = part(
        "network", "torchvision", f"network.weights={tmp_path}/squeezenet1_1.pth", "device=cpu"
    )
    assert same is network  # loaded once in a process
