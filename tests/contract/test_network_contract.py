"""The contract of networks: every layer is read in one pass, and nothing of it can change.

A network that can be built as its YAML says, with the words of its ``# test:`` line, is built so.
Those whose weights are not there are built by the same YAML from a file of random weights.
"""

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


def _settings(name: str) -> dict[str, object]:
    return composed(f"network={name}", *overrides_of("network", name))["network"]


NEED_WEIGHTS = [name for name in names("network") if "weights" in _settings(name)]
BUILT_FROM_YAML = [name for name in names("network") if name not in NEED_WEIGHTS]
OURS = [name for name in NEED_WEIGHTS if _settings(name).get("name") in architectures.names()]


@pytest.mark.parametrize("name", names("network"))
def test_the_configuration_names_what_exists(name: str) -> None:
    settings = _settings(name)
    parameters = inspect.signature(get_object(str(settings.pop("_target_")))).parameters
    assert settings.keys() <= parameters.keys()
    if "device" in parameters:
        assert settings["device"] == "auto", "write device: ${device}"


@pytest.mark.parametrize("name", [name for name in NEED_WEIGHTS if name not in OURS])
def test_torchvision_has_a_network_of_that_name(name: str) -> None:
    assert _settings(name)["name"] in models.list_models(module=models)


def _check(network: Network) -> None:
    images = torch.rand(2, 3, *network.size)
    activations = network.read(images, network.layers)
    assert list(network.layers)[-1] == OUTPUT
    for name, shape in network.layers.items():
        assert activations[name].shape == (2, *shape)
    assert activations[OUTPUT].shape == (2, len(network.classes))
    assert bool(activations[OUTPUT].isfinite().all())
    assert not any(value.requires_grad for value in network.parameters())
    assert not any(inner.training for inner in network.module.modules())


@pytest.mark.parametrize("name", BUILT_FROM_YAML or [pytest.param("", marks=pytest.mark.skip)])
def test_a_network_that_its_yaml_alone_builds(name: str) -> None:
    network = part("network", name, "device=cpu")
    assert isinstance(network, Network)
    _check(network)
    images = torch.rand(2, 3, *network.size, generator=torch.Generator().manual_seed(0))
    again = part("network", name, "device=cpu")
    assert torch.equal(again(images), network(images)), "the same YAML gives the same weights"


@pytest.mark.parametrize("name", OURS)
def test_a_network_of_ours(name: str, tmp_path: Path) -> None:
    file = write_weights(tmp_path / "tiny.safetensors", str(_settings(name)["name"]))
    network = part("network", name, f"network.weights={file}", "device=cpu")
    assert len(network.classes) == 10
    _check(network)


def test_a_network_of_torchvision(tmp_path: Path) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        state = models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, tmp_path / "squeezenet1_1.pth")
    network = part(
        "network", "squeezenet1_1", f"network.weights={tmp_path}/squeezenet1_1.pth", "device=cpu"
    )
    assert len(network.classes) == 1000
    _check(network)
    assert network.classes.index("goldfish") == 1
    assert network.classes.index("n01443537") == 1
    same = part(
        "network", "torchvision", f"network.weights={tmp_path}/squeezenet1_1.pth", "device=cpu"
    )
    assert same is network  # loaded once in a process
