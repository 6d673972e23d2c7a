"""Feature distances against their definition in numpy, and the pictures they refer to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_worlds import rows_of, wrapped
from torch import Tensor
from torchvision import models

from synth import data
from synth.core import BoundObjective, Readout
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.pixels import Pixels
from synth.engine.fitness import ImageProblem
from synth.errors import InputError
from synth.objectives.features import FeatureMatch
from synth.searches.gradient import Gradient
from synth.transforms.affine import Chain
from synth.transforms.crop import Crop


def read(
    bound: BoundObjective, network: Network, images: Tensor, source: Tensor | None = None
) -> Tensor:
    (value,) = bound(
        Readout(network.read(images, bound.layers), images, rows_of(len(images)), source)
    ).values()
    assert value.shape == (len(images), 1)
    return value[:, 0]


def error(network: Network, layer: str, image: Tensor, target: Tensor) -> float:
    """||a - b||^2 / ||b||^2 in double precision."""
    features = network.read(torch.stack([image, target]), [layer])[layer].double().numpy()
    return float(((features[0] - features[1]) ** 2).sum() / (features[1] ** 2).sum())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of 20x24 noise around different colours."""
    draws = torch.Generator().manual_seed(1)
    for number in range(3):
        noise = torch.rand(3, 20, 24, generator=draws) * 0.5 + 0.15 * number
        data.to_image(noise).save(tmp_path / f"{number}.png")
    return tmp_path


def test_one_picture_at_the_size_of_the_image(network: Network) -> None:
    images = torch.rand(3, 3, 24, 16)
    bound = FeatureMatch("conv2", image="china").bind(network).at((24, 16))
    assert bound.layers == ("relu2",)
    reference = data.picture("china").at((24, 16))
    scores = read(bound, network, images)
    np.testing.assert_allclose(
        scores, [-error(network, "relu2", image, reference) for image in images], rtol=1e-4
    )
    assert abs(float(read(bound, network, reference[None])[0])) < 1e-9
    plain = FeatureMatch("conv2", content="china", rectified=False).bind(network).at((24, 16))
    assert plain.layers == ("conv2",)
    np.testing.assert_allclose(
        read(plain, network, images),
        [-error(network, "conv2", i, reference) for i in images],
        rtol=1e-4,
    )
    (target,) = set(plain.target(rows_of(3)))
    assert target is not None
    assert target.name == "conv2"


def test_an_item_each_layer(network: Network) -> None:
    images, layers = torch.rand(3, 3, 16, 16), ["conv1", "conv2", "fc"]
    bound = FeatureMatch(layers, image="china").bind(network).at((16, 16))
    assert bound.items is not None
    assert [item.name for item in bound.items] == layers
    targets = data.picture("china").at((16, 16))
    expected = [
        -error(network, layer, image, targets)
        for layer, image in zip(["relu1", "relu2", "fc"], images, strict=True)
    ]
    np.testing.assert_allclose(read(bound, network, images), expected, rtol=1e-4)
    rows = rows_of(3).select(
        torch.tensor([2])
    )  # the last item alone: its item counts, not its position
    alone = bound(Readout(network.read(images[2:], bound.layers), images[2:], rows))["features"]
    np.testing.assert_allclose(alone[:, 0], expected[2:], rtol=1e-4)


def test_an_item_each_picture(network: Network, folder: Path) -> None:
    images = torch.rand(3, 3, 16, 16)
    bound = FeatureMatch("relu2", images=str(folder), image="china").bind(network).at((16, 16))
    assert bound.items is not None
    assert [item.name for item in bound.items] == ["0.png", "1.png", "2.png"]
    targets = [picture.at((16, 16)) for picture in data.pictures(folder)]
    expected = [-error(network, "relu2", *pair) for pair in zip(images, targets, strict=True)]
    np.testing.assert_allclose(read(bound, network, images), expected, rtol=1e-4)
    # the encoding gives the picture of each image
    swapped = read(bound, network, images, torch.tensor([2, 1, 0]))
    np.testing.assert_allclose(
        swapped[0], -error(network, "relu2", images[0], targets[2]), rtol=1e-4
    )


def test_the_default_layer_is_the_last_but_one_of_the_style_layers(network: Network) -> None:
    assert FeatureMatch(image="china").bind(network).layers == ("relu1",)
    squeezenet = wrapped(
        models.squeezenet1_1(weights=None), [str(i) for i in range(1000)], (64, 64)
    )
    assert FeatureMatch(image="china").bind(squeezenet).layers == ("features.6",)


def test_gradient_by_finite_differences(network: Network) -> None:
    network.double()
    bound = FeatureMatch(["conv1", "conv2"], image="china").bind(network)
    images = torch.rand(
        2, 3, 8, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    bound = bound.at((8, 10))
    bound.targets = {name: value.double() for name, value in bound.targets.items()}
    activations = {
        name: torch.rand(2, *bound.targets[name].shape[1:], dtype=torch.float64)
        for name in bound.layers
    }
    inputs = tuple(value.requires_grad_() for value in activations.values())

    def function(*values: Tensor) -> Tensor:
        return bound(
            Readout(dict(zip(activations, values, strict=True)), images.float(), rows_of(2))
        )["features"]

    assert torch.autograd.gradcheck(function, inputs)


def test_a_silent_layer_has_a_finite_distance(network: Network) -> None:
    with torch.no_grad():
        network.module.conv1.weight.zero_()
        network.module.conv1.bias.fill_(-1)
    bound = FeatureMatch("conv1", image="china").bind(network).at((16, 16))
    assert read(bound, network, torch.rand(2, 3, 16, 16)).tolist() == [0, 0]


def test_the_distance_falls_from_noise(network: Network) -> None:
    bound = (
        WeightedSum({"features": FeatureMatch(["conv1", "conv2"], image="china")})
        .bind(network)
        .at((16, 16))
    )
    problem = ImageProblem(network, Pixels((16, 16)), Chain(), bound, bound)
    search, rows = Gradient(60, rate=0.05), rows_of(2)
    state, score = search.init(problem, rows), []
    for step in range(60):
        state, report = search.step(problem, rows, state, step)
        score.append(report.score)
    assert bool((score[-1] > 0.1 * score[0]).all())
    assert bool((score[-1] > -0.1).all())


def test_an_item_of_a_list_has_the_same_name_alone(network: Network) -> None:
    for images, names in (
        (["china"], ["china.jpg"]),
        (["china", "flower"], ["china.jpg", "flower.jpg"]),
    ):
        assert [
            item.name for item in FeatureMatch("conv1", images=images).bind(network).items or ()
        ] == names
    assert [
        item.name for item in FeatureMatch("conv1", image="china").bind(network).items or ()
    ] == ["conv1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "image: whose features?"),
        ({"layer": [], "image": "china"}, r"layer=\[\]: name at least one"),
        ({"image": "chin"}, "image=chin: no such file"),
        ({"content": "chin"}, "content=chin: no such file"),
        ({"layer": ["conv1", "conv2"], "images": ["china", "flower"]}, "2 layers and 2 pictures"),
    ],
)
def test_mistakes(words: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FeatureMatch(**{"layer": "conv1"} | words)


def test_mistakes_of_names_in_the_network(network: Network) -> None:
    with pytest.raises(InputError, match="layer=conv9: tiny has no such layer"):
        FeatureMatch("conv9", image="china").bind(network)
    bound = FeatureMatch("conv1", image="china").bind(network).at((16, 16))
    images = torch.rand(1, 3, 16, 16)
    small = Crop(4)(images, rows_of(1))
    with pytest.raises(InputError, match=r"transform: .* relu1 is compared place by place"):
        bound(Readout(network.read(small, bound.layers), images, rows_of(1)))
