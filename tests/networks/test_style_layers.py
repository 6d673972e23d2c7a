"""Default layers of architectures whose layers are known from their papers; no weights needed."""

from __future__ import annotations

import pytest
import torch
from small_worlds import tiny_module, wrapped
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from synth.core.network import Network
from synth.errors import InputError
from synth.networks.architectures import builder
from synth.networks.style_layers import dream_layer, penultimate_layer, style_layers, unit_layer


def network_of(name: str, side: int = 64) -> Network:
    """A torchvision network with random weights, looked at in small pictures."""
    options = {"init_weights": False} if name == "vgg16" else {}
    module = models.get_model(name, weights=None, **options)
    return wrapped(module, [str(i) for i in range(1000)], (side, side))


@pytest.mark.parametrize(
    ("name", "layers", "code"),
    [
        # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1; fc7 after its ReLU and an inactive dropout
        (
            "vgg16",
            ["features.1", "features.6", "features.11", "features.18", "features.25"],
            "classifier.5",
        ),
        ("squeezenet1_1", ["features.1", "features.3", "features.6", "features.9"], "classifier.0"),
        ("resnet18", ["relu", "layer1.0", "layer2.0", "layer3.0", "layer4.0"], "avgpool"),
        # five ReLUs, three resolutions
        (
            "alexnet",
            ["features.1", "features.4", "features.7", "features.9", "features.11"],
            "classifier.5",
        ),
    ],
)
def test_torchvision(name: str, layers: list[str], code: str) -> None:
    network = network_of(name)
    assert style_layers(network) == layers
    assert penultimate_layer(network) == code


def test_ours() -> None:
    network = wrapped(builder("mini_alexnet")(classes=5), size=(64, 64))
    assert style_layers(network) == ["relu1", "relu2", "relu3", "relu4", "relu5"]
    assert network.layers[penultimate_layer(network)] == network.layers["relu7"]
    network = wrapped(builder("mini_resnet")(classes=5), size=(64, 64))
    sizes = [network.layers[name][1] for name in style_layers(network)]
    assert sizes == [32, 16, 8, 4]


def test_a_network_without_places_says_so() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 8), nn.ReLU(), nn.Linear(8, 5))
    with pytest.raises(
        InputError, match=r"layers: tiny has no activation with places .* name layers"
    ):
        style_layers(wrapped(module))
    assert penultimate_layer(wrapped(module)) == "2"
    with pytest.raises(InputError, match="no layer before its last weights"):
        penultimate_layer(wrapped(nn.Sequential(nn.Conv2d(3, 5, 16), nn.Flatten())))


class Functional(nn.Module):
    """Convolutions and pooling, whose activation functions are no modules, as in PyTorch's tour."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, images: Tensor) -> Tensor:
        first = self.pool(functional.relu(self.conv1(images)))
        second = self.pool(functional.relu(self.conv2(first)))
        return self.fc2(functional.relu(self.fc1(second.flatten(1))))


class Pooled(nn.Module):
    """Nothing but a pooling has places."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(4)
        self.head = nn.Linear(192, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(images).flatten(1))


class Inside(nn.Module):
    """A network behind a step that is no module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        return self.inner((images - 0.5) / 0.25)


def test_functional_activations_and_a_network_inside_a_module() -> None:
    network = wrapped(Functional(), size=(32, 32))
    assert style_layers(network) == ["conv1", "conv2"]
    assert dream_layer(network) == unit_layer(network) == "conv2"
    assert penultimate_layer(network) == "fc1"
    inside = wrapped(Inside(Functional()), size=(32, 32))
    assert style_layers(inside) == ["inner.conv1", "inner.conv2"]
    assert style_layers(wrapped(Pooled(), size=(32, 32))) == ["pool"]
    resnet = builder("mini_resnet")(classes=5)
    names = style_layers(wrapped(resnet, size=(64, 64)))
    for inside in (Inside(resnet), nn.Sequential(nn.Identity(), resnet)):
        network = wrapped(inside, size=(64, 64))
        assert [name.partition(".")[2] for name in style_layers(network)] == names


def test_the_tiny_network() -> None:
    network = wrapped(tiny_module())
    assert style_layers(network) == ["relu1", "relu2"]
    images = torch.rand(2, 3, 16, 16)
    assert network.read(images, [penultimate_layer(network)])["flatten"].shape == (2, 192)
