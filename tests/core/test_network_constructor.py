"""Wrapping a module as a network: the caller's module is not changed, and what the defaults are."""

from __future__ import annotations

import time

import pytest
import torch
from small_worlds import tiny_module, traits
from torch import Tensor, nn

from synth.core.classes import Classes
from synth.core.network import Network, sha256_of_state
from synth.errors import InputError

SIZE = (16, 16)


def network_of(module: nn.Module, **settings: object) -> Network:
    return Network(module, **{"size": SIZE, "device": "cpu", **settings})


def test_the_callers_module_stays_as_it_was() -> None:
    module = tiny_module().train()
    module.norm2.eval()  # a mixture of modes
    module.conv1.weight.requires_grad_(False)
    before = traits(module)
    network = network_of(module)
    network(torch.rand(2, 3, *SIZE))
    assert traits(module) == before
    assert module.relu1.inplace
    assert not network.module.relu1.inplace
    assert not any(part.training for part in network.modules())
    assert not any(weight.requires_grad for weight in network.parameters())
    with torch.no_grad():
        module.fc.weight.zero_()
    assert bool(network.module.fc.weight.any())


def test_without_a_copy_it_is_the_callers_module() -> None:
    module = tiny_module().train()
    network = network_of(module, copy=False)
    assert network.module is module
    assert not module.training
    assert not module.relu1.inplace


def test_nothing_is_normalised_by_default() -> None:
    images = torch.rand(3, 3, *SIZE)
    module = tiny_module()
    expected = tiny_module().eval()(images)
    torch.testing.assert_close(network_of(module)(images), expected)
    assert not torch.equal(network_of(module, mean=(0.5, 0.5, 0.5))(images), expected)


def test_classes_are_numbered_by_default() -> None:
    network = network_of(tiny_module(classes=7))
    assert list(network.classes.names) == ["0", "1", "2", "3", "4", "5", "6"]
    assert network.classes.index("6") == network.classes.index(6) == 6


def test_the_name_is_the_modules_class_by_default() -> None:
    assert network_of(tiny_module()).name == "sequential"
    assert network_of(tiny_module(), name="mine").name == "mine"


def test_the_hash_is_that_of_the_weights_by_default() -> None:
    module = tiny_module()
    own = network_of(module).sha256
    assert own == sha256_of_state(module) == network_of(tiny_module()).sha256
    assert len(own) == 64
    assert own == sha256_of_state(module.to(memory_format=torch.channels_last))
    assert own != network_of(tiny_module(seed=1)).sha256
    assert own != sha256_of_state(tiny_module().double())
    assert network_of(module, sha256="ab").sha256 == "ab"
    with torch.no_grad():
        module.norm2.running_mean[3] += 1e-6
    assert own != network_of(module).sha256


@pytest.mark.parametrize("count", [4, 6])
def test_another_number_of_names_than_outputs_is_refused(count: int) -> None:
    classes = Classes([f"class {index}" for index in range(count)])
    with pytest.raises(InputError, match=rf"^classes: {count} names, but \w+ has 5 outputs; .*$"):
        network_of(tiny_module(), classes=classes)


class Pair(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images, images


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Pair(), r"network: pair returns a tuple without a tensor \[n, classes\]; give a module"),
        (nn.Conv2d(3, 5, 3), "network: conv2d returns a tensor of 4 axes; give a module"),
    ],
)
def test_modules_that_return_no_logits_are_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        network_of(module)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["mean", "std"])
def test_mean_and_std_are_one_number_a_channel(word: str) -> None:
    with pytest.raises(InputError, match=rf"network {word}=\[0.5\]: write three numbers"):
        network_of(tiny_module(), **{word: (0.5,)})
    with pytest.raises(InputError, match=r"network std=\[1, 0, 1\]: write three numbers above 0"):
        network_of(tiny_module(), std=(1, 0, 1))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("word", ["mean", "std"])
def test_mean_and_std_are_finite(word: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"network {word}=.*: write three numbers"):
        network_of(tiny_module(), **{word: (0.5, value, 0.5)})


@pytest.mark.parametrize("size", [(8, 8), (0, 0), (-5, 16)])
def test_a_size_that_the_module_cannot_read_is_refused_in_one_line(size: tuple[int, int]) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 5, stride=2), nn.Flatten(), nn.Linear(144, 5))
    assert network_of(module, size=(16, 16)).size == (16, 16)
    with pytest.raises(InputError, match=rf"size={size[0]}x{size[1]}: sequential cannot") as error:
        network_of(module, size=size)
    assert "\n" not in str(error.value)


def test_memory_that_runs_out_is_not_the_size_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy(nn.Flatten):
        def forward(self, values: Tensor) -> Tensor:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        network_of(nn.Sequential(Greedy(), nn.Linear(768, 5)))


def test_far_too_large_images_are_refused_by_shapes_alone() -> None:
    network = network_of(tiny_module())
    assert not network.one_size  # tried once, at twice the size
    passed = []
    network.module.register_forward_pre_hook(lambda _, inputs: passed.append(inputs[0].device.type))
    assert network.reads((40, 40))  # pooled to a fixed size before the last layer
    assert passed == ["meta", "meta", "cpu"]
    flat = network_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 5)))
    start = time.monotonic()
    assert not flat.reads((8192, 8192))
    assert flat.reads((16, 16))
    assert time.monotonic() - start < 10


def test_a_module_that_needs_numbers_is_tried_as_it_is() -> None:
    class Scaled(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images / max(float(images.amax()), 1.0)

    pooled = nn.Sequential(Scaled(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 5))
    assert network_of(pooled).reads((64, 64))
