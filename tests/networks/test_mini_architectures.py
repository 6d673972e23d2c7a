"""The bundled architectures: names and shapes of layers, their size, ReLUs not in place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from synth.networks import architectures
from synth.networks.architectures.micro_alexnet import micro_alexnet
from synth.networks.architectures.mini_alexnet import mini_alexnet
from synth.networks.architectures.mini_resnet import ResidualBlock, mini_resnet

Builder = Callable[..., nn.Sequential]
BUILDERS = [mini_alexnet, mini_resnet]


def test_what_architectures_share_is_none_itself() -> None:
    assert architectures.names() == ["linear", "micro_alexnet", "mini_alexnet", "mini_resnet"]


def test_the_alexnet_has_the_lectures_names_and_shapes() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    features = torch.rand(2, 3, 64, 64)
    for name, layer in mini_alexnet(classes=10).eval().named_children():
        features = layer(features)
        shapes[name] = tuple(features.shape[1:])
    convolutions = [
        name for k in range(1, 6) for name in (f"conv{k}", f"norm{k}", f"relu{k}", f"pool{k}")
    ]
    convolutions = [name for name in convolutions if name not in {"pool3", "pool4"}]
    connected = [name for k in (6, 7) for name in (f"fc{k}", f"norm{k}", f"relu{k}", f"dropout{k}")]
    assert list(shapes) == [*convolutions, "flatten", *connected, "fc8"]
    assert shapes["conv1"] == (48, 32, 32)
    assert shapes["pool1"] == (48, 16, 16)
    assert shapes["pool2"] == (96, 8, 8)
    assert shapes["relu4"] == (160, 8, 8)
    assert shapes["pool5"] == (128, 4, 4)
    assert (shapes["fc6"], shapes["fc7"], shapes["fc8"]) == ((512,), (512,), (10,))


@pytest.mark.parametrize(
    ("builder", "weights", "multiply_adds"),
    [(mini_alexnet, 2.04e6, 73.5e6), (mini_resnet, 1.11e6, 69.5e6)],
)
def test_what_they_cost(builder: Builder, weights: float, multiply_adds: float) -> None:
    network = builder().eval()
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(
        weights, rel=0.01
    )
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        assert network(torch.rand(1, 3, 64, 64)).shape == (1, 100)
    assert counter.get_total_flops() / 2 == pytest.approx(multiply_adds, rel=0.01)


def test_the_smallest_is_made_for_the_size_of_its_images() -> None:
    for size in ((32, 32), (64, 64), (19, 27)):
        assert micro_alexnet(size=size).eval()(torch.rand(1, 3, *size)).shape == (1, 10)
    weights = sum(weight.numel() for weight in micro_alexnet(size=32).parameters())
    assert weights == pytest.approx(0.49e6, rel=0.01)


@pytest.mark.parametrize("builder", BUILDERS)
def test_no_relu_works_in_place_or_twice(builder: Builder) -> None:
    network, calls = builder().eval(), []
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    assert not any(relu.inplace for relu in relus)
    for relu in relus:
        relu.register_forward_hook(lambda module, _, out: calls.append(module))
    network(torch.rand(1, 3, 64, 64))
    assert len(calls) == len(set(map(id, calls))) == len(relus)


@pytest.mark.parametrize("builder", BUILDERS)
def test_every_weight_gets_a_gradient_and_dropout_is_an_argument(builder: Builder) -> None:
    network = builder(classes=7, dropout=0.25)
    assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.25}
    network(torch.rand(4, 3, 64, 64)).square().sum().backward()
    assert all(
        weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters()
    )


@pytest.mark.parametrize(("inputs", "stride"), [(6, 1), (4, 1), (6, 2)])
def test_a_block_adds_its_input(inputs: int, stride: int) -> None:
    block = ResidualBlock(inputs, 6, stride).eval()
    nn.init.zeros_(block.norm2.weight)
    features: Tensor = torch.randn(2, inputs, 8, 8)
    shortcut = block.shortcut(features) if stride > 1 or inputs != 6 else features
    torch.testing.assert_close(block(features), shortcut.relu())
    assert isinstance(block.shortcut, nn.Identity) == (stride == 1 and inputs == 6)
