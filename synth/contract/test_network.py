"""The contract of networks: every layer is read in one pass, and nothing of it can change.

A network that can be built as its YAML says, with the words of its ``# test:`` line, is built so.
"""

from __future__ import annotations

import pytest
import torch

from synth.config.definitions import parameters_of
from synth.contract.cases import for_each
from synth.contract.parts import composed, overrides_of, part
from synth.core.network import OUTPUT, Network


def settings_of(name: str) -> dict[str, object]:
    return composed(f"network={name}", *overrides_of("network", name))["network"]


@for_each(name="network")
def test_the_configuration_names_what_exists(name: str) -> None:
    settings = settings_of(name)
    takes = parameters_of(str(settings.pop("_target_")))
    assert takes is None or settings.keys() <= set(takes)
    if takes and "device" in takes:
        assert settings["device"] == "auto", "write device: ${device}"


def check(network: Network) -> None:
    images = torch.rand(2, 3, *network.size)
    activations = network.read(images, network.layers)
    assert list(network.layers)[-1] == OUTPUT
    for name, shape in network.layers.items():
        assert activations[name].shape == (2, *shape)
    assert activations[OUTPUT].shape == (2, len(network.classes))
    assert bool(activations[OUTPUT].isfinite().all())
    assert not any(value.requires_grad for value in network.parameters())
    assert not any(inner.training for inner in network.module.modules())


@for_each(name="network")
def test_a_network_that_its_yaml_alone_builds(name: str) -> None:
    if settings_of(name).get("weights", "") is None:
        pytest.skip(f"network={name} needs a file of weights: # test: network.weights=FILE")
    network = part("network", name, "device=cpu")
    assert isinstance(network, Network)
    check(network)
    images = torch.rand(2, 3, *network.size, generator=torch.Generator().manual_seed(0))
    again = part("network", name, "device=cpu")
    assert torch.equal(again(images), network(images)), "the same YAML gives the same weights"
