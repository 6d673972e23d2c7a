"""The copy of a network that searches read: folded batch normalisation, bfloat16, float32 logits.

Compared with the network itself, which computes in float32 and folds nothing.
"""

from __future__ import annotations

import logging

import pytest
import torch
from small_worlds import tiny_module, wrapped
from torch import Tensor, nn
from torchvision.models import resnet18, squeezenet1_1

from synth.core import hardware
from synth.core.hardware import low_precision, native_bfloat16
from synth.core.inference import inference_copy
from synth.core.network import OUTPUT, Network
from synth.errors import InputError
from synth.networks.architectures import builder


def with_statistics(module: nn.Module, seed: int = 0) -> nn.Module:
    """`module` in eval mode with random statistics and weights in its batch normalisations."""
    draws = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            shape = part.running_mean.shape
            part.running_mean.copy_(0.2 * torch.randn(shape, generator=draws))
            part.running_var.copy_(0.5 + torch.rand(shape, generator=draws))
            part.weight.data.copy_(0.5 + torch.rand(shape, generator=draws))
            part.bias.data.copy_(0.2 * torch.randn(shape, generator=draws))
    return module.eval().requires_grad_(False)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def relative_error(value: Tensor, expected: Tensor) -> float:
    return float((value - expected).abs().max() / expected.abs().max())


class ReadsTwice(nn.Module):
    """The output of the convolution is normalised, and added as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        return self.fc((self.norm(maps) + maps).mean((2, 3)))


class UsesWeights(ReadsTwice):
    """The weight of the normalisation is used by the module itself."""

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(images)).mean((2, 3)) * self.norm.weight)


class FloatOnly(nn.Module):
    """Multiplies by a matrix that it makes in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(5, 5)

    def between(self, values: Tensor) -> Tensor:
        return values.mean((2, 3)) @ torch.ones(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.between(self.conv(images)))


class NanInBfloat16(FloatOnly):
    """Divides zero by the difference of two numbers that bfloat16 rounds to the same."""

    def between(self, values: Tensor) -> Tensor:
        near = torch.tensor([1.0, 1.001], dtype=values.dtype)
        return values.mean((2, 3)).repeat(1, 2)[:, :5] * (0 / (near[1] - near[0]))


@pytest.fixture(params=["mini_alexnet", "mini_resnet", "resnet18"])
def module(request) -> nn.Module:
    torch.manual_seed(0)
    build = resnet18 if request.param == "resnet18" else builder(request.param)
    return with_statistics(build())


def test_folded_networks_give_the_same_at_every_layer_that_is_not_folded(
    module: nn.Module,
) -> None:
    network = Network(module, size=(64, 64), device="cpu", precision="float32")
    copy = network._inference_copy()
    norms = [
        part for part in module.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))
    ]
    assert len(copy.folded) == len(norms)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in copy.module.modules())
    images = noise(2, 3, 64, 64)
    names = [name for name in network.layers if name not in copy.folded]
    expected, values = network.read(images, names), network.read(images, names, fast=True)
    for name in names:
        assert values[name].dtype == torch.float32
        assert relative_error(values[name], expected[name]) < 2e-5, name


def test_a_folded_layer_is_read_before_its_normalisation(module: nn.Module) -> None:
    network = Network(module, size=(64, 64), device="cpu", precision="float32")
    images = noise(2, 3, 64, 64)
    names = (*sorted(network._inference_copy().folded)[:2], OUTPUT)
    expected = network.read(images, names)
    for name, value in network.read(images, names, fast=True).items():
        assert relative_error(value, expected[name]) < 2e-5


def test_what_holds_a_folded_layer_is_read_before_the_normalisation() -> None:
    class Nested(ReadsTwice):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)))

        def forward(self, images: Tensor) -> Tensor:
            return self.fc(self.norm(self.conv(images)).relu().mean((2, 3)))

    network = Network(with_statistics(Nested()), size=(16, 16), device="cpu", precision="float32")
    images = noise(2, 3, 16, 16)
    assert network._inference_copy().folded == {"conv", "conv.0", "conv.0.0"}
    for name in network.layers:
        expected = network.read(images, (name,))[name]
        assert relative_error(network.read(images, (name,), fast=True)[name], expected) < 1e-5


def test_gradients_of_the_folded_network_are_those_of_the_network(module: nn.Module) -> None:
    network = Network(
        module,
        size=(64, 64),
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.3, 0.1),
        device="cpu",
        precision="float32",
    )
    gradients = []
    for fast in (False, True):
        images = noise(2, 3, 64, 64).requires_grad_()
        logits = network.read(images, (OUTPUT,), fast=fast)[OUTPUT]
        gradients += torch.autograd.grad(logits[:, 3].sum(), images)
    assert gradients[1].is_contiguous()
    assert relative_error(gradients[1], gradients[0]) < 1e-3  # a ReLU may switch


def test_a_copy_first_read_in_inference_mode_gives_gradients_later(module: nn.Module) -> None:
    network = Network(module, size=(64, 64), device="cpu", precision="float32")
    with torch.inference_mode():
        network.read(noise(2, 3, 64, 64), (OUTPUT,), fast=True)
    images = noise(2, 3, 64, 64).requires_grad_()
    logits = network.read(images, (OUTPUT,), fast=True)[OUTPUT]
    assert bool(torch.autograd.grad(logits.sum(), images)[0].any())


def test_the_module_is_not_changed(module: nn.Module) -> None:
    before = {name: value.clone() for name, value in module.state_dict().items()}
    parts = [type(part) for part in module.modules()]
    inference_copy(module, noise(2, 3, 64, 64), torch.bfloat16)
    assert [type(part) for part in module.modules()] == parts
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(part._forward_hooks for part in module.modules())


@pytest.mark.parametrize("build", [ReadsTwice, UsesWeights])
def test_what_cannot_be_folded_is_left_as_it_is(build) -> None:
    module = with_statistics(build())
    copy = inference_copy(module, noise(2, 3, 8, 8))
    assert not copy.folded
    assert copy.module is module


def test_without_a_normalisation_there_is_no_copy() -> None:
    module = squeezenet1_1(num_classes=7).eval()
    assert inference_copy(module, noise(2, 3, 32, 32)).module is module


def test_bfloat16_rounds_and_its_logits_are_float32() -> None:
    low, high = wrapped(tiny_module(), precision="bfloat16"), wrapped(tiny_module())
    images = noise(2, 3, 16, 16)
    assert low.precision == "bfloat16"
    for name in ("conv2", OUTPUT):
        value = low.read(images, (name,), fast=True)[name]
        expected = high.read(images, (name,))[name]
        assert value.dtype == torch.float32
        assert 1e-5 < relative_error(value, expected) < 0.03
        # what is reported is not rounded
        assert torch.equal(low.read(images, (name,))[name], expected)
    logits = low.read(images, (OUTPUT,), fast=True)[OUTPUT]
    assert not torch.equal(logits, logits.bfloat16().float())


def test_a_last_convolution_is_pooled_in_float32() -> None:
    torch.manual_seed(0)
    network = Network(
        squeezenet1_1(num_classes=7), size=(64, 64), device="cpu", precision="bfloat16"
    )
    logits = network.read(noise(2, 3, 64, 64), (OUTPUT,), fast=True)[OUTPUT]
    assert not torch.equal(logits, logits.bfloat16().float())
    assert relative_error(logits, network(noise(2, 3, 64, 64))) < 0.03


@pytest.mark.parametrize(("build", "words"), [(FloatOnly, "fails"), (NanInBfloat16, "NaN")])
def test_a_network_that_bfloat16_breaks_is_read_in_float32(build, words: str, caplog) -> None:
    torch.manual_seed(0)
    network = Network(build(), size=(16, 16), device="cpu", precision="bfloat16")
    with caplog.at_level(logging.WARNING):
        assert network.precision == "float32"
    assert words in caplog.text
    assert "float32 is used" in caplog.text
    images = noise(2, 3, 16, 16)
    assert torch.equal(network.read(images, (OUTPUT,), fast=True)[OUTPUT], network(images))


def test_a_change_of_the_weights_reaches_the_copy() -> None:
    network = wrapped(tiny_module())
    images = noise(2, 3, 16, 16)
    before = network.read(images, (OUTPUT,), fast=True)[OUTPUT]
    network.module.load_state_dict(tiny_module(seed=1).state_dict())
    after = network.read(images, (OUTPUT,), fast=True)[OUTPUT]
    assert not torch.equal(before, after)
    assert relative_error(after, network(images)) < 1e-5


def test_the_hardware_decides_what_auto_means(monkeypatch, caplog) -> None:
    cpu = torch.device("cpu")
    for features, native in (
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx2": True}, False),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda features=features: features)
        assert native_bfloat16(cpu) is low_precision("auto", cpu) is native
        network = wrapped(tiny_module(), precision="auto")
        assert network.precision == ("bfloat16" if native else "float32")
    assert not caplog.text
    assert low_precision("bfloat16", cpu)
    assert "cpu has no units for it" in caplog.text
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert hardware.native_bfloat16(torch.device("cuda", 0))
    with pytest.raises(InputError, match=r"network\.precision=float16: write auto, float32 or bf"):
        wrapped(tiny_module(), precision="float16")
