"""The layer after normalisation and ReLU, and which image sizes a network can read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import wrapped
from torchvision import models

from synth.core.network import OUTPUT, Network
from synth.errors import InputError
from synth.networks import bundled

pytest_plugins = "console_fixtures"


@pytest.fixture(scope="module")
def box(weights: Path) -> Network:
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


def of_torchvision(name: str, size: int) -> Network:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = models.get_model(name, weights=None, num_classes=5)
    return wrapped(module, size=(size, size))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(
            ("conv1", "relu1"),
            ("conv3", "relu3"),
            ("conv5", "relu5"),
            ("fc6", "relu6"),
            ("fc7", "relu7"),
        ),
        *(
            ("relu3", "relu3"),
            ("pool1", "pool1"),
            ("pool5", "pool5"),
            ("fc8", "fc8"),
            (OUTPUT, OUTPUT),
        ),
    ],
)
def test_of_the_network_in_the_box(name: str, meant: str, box: Network) -> None:
    assert box.rectified(name) == meant


def test_through_a_normalisation(network: Network) -> None:
    assert [
        network.rectified(name)
        for name in ("conv1", "conv2", "norm2", "relu2", "pool2", "flatten", "fc")
    ] == [
        *("relu1", "relu2", "relu2", "relu2", "pool2", "flatten", "fc"),
    ]
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    activations = network.read(image, ["conv2", network.rectified("conv2")])
    torch.testing.assert_close(
        activations["relu2"], network.module.norm2(activations["conv2"]).relu()
    )


def test_of_a_resnet_the_block_s_shortcut_comes_between() -> None:
    network = of_torchvision("resnet18", 64)
    for name, meant in (
        *(
            ("conv1", "relu"),
            ("bn1", "relu"),
            ("layer1.0.conv1", "layer1.0.relu"),
            ("layer1", "layer1"),
        ),
        *(("layer1.0.conv2", "layer1.0.conv2"), ("layer2.0.downsample.0", "layer2.0.downsample.0")),
        *(("layer1.0", "layer1.0"), ("fc", "fc")),
    ):
        assert network.rectified(name) == meant
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    block = network.module.layer2[0]
    activations = network.read(
        image, ["layer2.0.conv1", "layer2.0.relu"]
    )  # a ReLU that runs twice: what is read is the first
    torch.testing.assert_close(
        activations["layer2.0.relu"], block.bn1(activations["layer2.0.conv1"]).relu()
    )


def test_of_a_fire_module_each_branch_has_its_own() -> None:
    network = of_torchvision("squeezenet1_1", 64)
    fire = "features.6"
    for branch in ("squeeze", "expand1x1", "expand3x3"):
        assert network.rectified(f"{fire}.{branch}") == f"{fire}.{branch}_activation"
    assert network.rectified(fire) == fire
    assert network.rectified("features.0") == "features.1"
    assert network.rectified("classifier.1") == "classifier.2"


def test_an_unknown_name_is_reported(network: Network) -> None:
    with pytest.raises(InputError, match=r"layer=conv3: tiny has no such layer"):
        network.rectified("conv3")


def test_convolutions_read_any_size_and_what_is_behind_a_flattening_only_its_own(
    box: Network,
) -> None:
    for size, layers, fits in (
        ((64, 64), (OUTPUT,), True),
        ((96, 96), (OUTPUT,), False),
        ((96, 96), ("fc6",), False),
        ((96, 96), ("relu4",), True),
        ((96, 64), ("conv1", "pool5"), True),
        ((96, 96), ("conv1", "fc7"), False),  # as deep as the deepest
        ((8, 8), ("relu1",), True),
        ((96, 96), (), True),
    ):
        assert box.reads(size, layers) == fits, (size, layers)
        if fits:
            box.check_size(size, layers)
        else:
            with pytest.raises(
                InputError, match=rf"encoding\.size={size[0]}x{size[1]}: mini_alexnet cannot read"
            ):
                box.check_size(size, layers)
    assert not box.reads((96, 96))


def test_whether_a_size_fits_is_tried_once(box: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    assert box.reads((88, 88), ("relu2",))
    assert not box.reads((88, 88))
    monkeypatch.setattr(Network, "read", None)
    assert box.reads((88, 88), ("conv1", "relu2"))
    assert not box.reads((88, 88))
