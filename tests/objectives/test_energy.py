"""Energy: half the mean square by hand, its gradient, an item for each layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_worlds import rows_of, tiny_module, wrapped
from torch import Tensor

from synth.core import Readout, Rows
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.errors import InputError
from synth.objectives.dream import dream
from synth.objectives.energy import Energy
from synth.objectives.guided import Guided


@pytest.fixture(scope="module")
def network() -> Network:
    return wrapped(tiny_module())


def pictures(count: int, size: int = 16) -> Tensor:
    return rows_of(count, "pictures").uniform(3, size, size)


def score(objective: Any, network: Network, images: Tensor, rows: Rows | None = None) -> Tensor:
    bound = objective.bind(network)
    rows = rows_of(len(images), "energy") if rows is None else rows
    (value,) = bound(Readout(network.read(images, bound.layers), images, rows)).values()
    assert value.shape == (len(images), 1)
    return value[:, 0]


def by_layers(images: Tensor, last: str) -> Tensor:
    """The output of the layer `last`, from the layers of the module one after the other."""
    module = tiny_module().eval()
    mean, std = torch.tensor((0.48, 0.45, 0.4)), torch.tensor((0.23, 0.22, 0.25))
    values = (images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    for name, part in module.named_children():
        values = part(values)
        if name == last:
            return values
    raise AssertionError(last)


@pytest.mark.parametrize(
    ("name", "resolved"),
    [
        ("conv1", "relu1"),
        ("conv2", "relu2"),
        ("norm2", "relu2"),
        ("relu2", "relu2"),
        ("pool1", "pool1"),
    ],
)
def test_it_is_half_the_mean_square_of_what_leaves_the_relu(
    name: str, resolved: str, network: Network
) -> None:
    images = pictures(3)
    scores = score(Energy(name), network, images)
    torch.testing.assert_close(
        scores, by_layers(images, resolved).square().flatten(1).mean(1) / 2, rtol=1e-5, atol=1e-7
    )
    assert Energy(name).bind(network).items[0].name == resolved  # type: ignore[index]


def test_not_rectified_it_is_the_layers_own_output_with_negative_values(
    network: Network,
) -> None:
    images = pictures(2)
    for name in ("conv2", "norm2", "fc"):
        scores = score(Energy(name, rectified=False), network, images)
        expected = by_layers(images, name)
        torch.testing.assert_close(
            scores, expected.square().flatten(1).mean(1) / 2, rtol=1e-5, atol=1e-7
        )
        assert bool((expected < 0).any())
    positive = by_layers(images, "fc").clamp_min(
        0
    )  # no ReLU follows it: it is cut at 0 all the same
    torch.testing.assert_close(
        score(Energy("fc"), network, images), positive.square().flatten(1).mean(1) / 2
    )


def test_its_gradient_at_the_layer_is_the_activation_itself(network: Network) -> None:
    images = pictures(2)
    bound = Energy("conv2").bind(network)
    activations = {
        name: value.clone().requires_grad_()
        for name, value in network.read(images, bound.layers).items()
    }
    (value,) = bound(Readout(activations, images, rows_of(2, "energy"))).values()
    (slope,) = torch.autograd.grad(value.sum(), activations["relu2"])
    torch.testing.assert_close(
        slope * activations["relu2"][0].numel(), activations["relu2"].detach()
    )


def test_a_channel_alone(network: Network) -> None:
    images = pictures(4)
    activation = by_layers(images, "relu2")
    torch.testing.assert_close(
        score(Energy("conv2", 7), network, images), activation[:, 7].square().flatten(1).mean(1) / 2
    )
    several = score(Energy("conv2", [3, 0, 7, 3]), network, images)
    channels = activation[torch.arange(4), torch.tensor([3, 0, 7, 3])]
    torch.testing.assert_close(several, channels.square().flatten(1).mean(1) / 2)
    assert [target.name for target in Energy("conv2", [3, 0]).bind(network).items or ()] == [
        "relu2:3",
        "relu2:0",
    ]


def test_a_list_of_layers_is_an_item_each_wherever_its_row_stands(network: Network) -> None:
    images = pictures(5)
    rows = rows_of(3, "items").select(torch.tensor([2, 0, 1, 2, 0]))
    scores = score(Energy(["conv1", "conv2", "pool2"]), network, images, rows)
    for place, layer in enumerate(("pool2", "relu1", "relu2", "pool2", "relu1")):
        expected = by_layers(images[place : place + 1], layer).square().mean() / 2
        torch.testing.assert_close(scores[place], expected, rtol=1e-5, atol=1e-7)
    units = Energy(["conv1", "conv2"], [5, 6]).bind(network)
    assert [target.name for target in units.items or ()] == ["relu1:5", "relu2:6"]


def test_a_row_moves_for_its_own_layer_alone(network: Network) -> None:
    images = pictures(2).requires_grad_()
    both = score(Energy(["conv1", "conv2"]), network, images)
    (slopes,) = torch.autograd.grad(both.sum(), images)
    for place, layer in enumerate(("conv1", "conv2")):
        (slope,) = torch.autograd.grad(
            score(Energy(layer), network, images).unbind()[place], images
        )
        torch.testing.assert_close(slopes[place], slope[place])


def test_the_size_of_the_picture_hardly_changes_it(network: Network) -> None:
    image = torch.nn.functional.interpolate(pictures(1, 8), (16, 16), mode="bilinear")
    large = image.repeat(1, 1, 3, 3)
    torch.testing.assert_close(
        score(Energy("conv1"), network, large),
        score(Energy("conv1"), network, image),
        rtol=0.2,
        atol=0,
    )


def test_a_mixture_adds_layers_by_their_weights(network: Network) -> None:
    images = pictures(2)
    mixed = WeightedSum(
        {"early": Energy("conv1", weight=0.5), "late": Energy("conv2", weight=2.0)}
    ).bind(network)
    terms = mixed(Readout(network.read(images, mixed.layers), images, rows_of(2, "mixed")))
    torch.testing.assert_close(terms["early"][:, 0], 0.5 * score(Energy("conv1"), network, images))
    torch.testing.assert_close(terms["late"][:, 0], 2.0 * score(Energy("conv2"), network, images))


@pytest.mark.parametrize(
    ("layer", "unit", "message"),
    [
        ("conv3", None, r"layer=conv3: tiny has no such layer. Did you mean conv1|layer=conv3"),
        (["conv1", "cnov2"], None, "layer=cnov2"),
        ([], None, r"layer=\[\]"),
        ("conv2", [], r"unit=\[\]"),
        ("conv2", 12, "relu2 has units 0 to 11"),
        (["conv1", "conv2"], 8, "relu1 has units 0 to 7"),
        (["conv1", "conv2"], [1, 2, 3], "3 channels and 2 layers"),
    ],
)
def test_mistakes(layer: Any, unit: Any, message: str, network: Network) -> None:
    with pytest.raises(InputError, match=message) as raised:
        Energy(layer, unit).bind(network)
    assert "\n" not in str(raised.value)


def test_a_dream_follows_a_guide_where_one_is_named() -> None:
    assert isinstance(dream("conv2"), Energy)
    assert isinstance(dream("conv2", guide="flower"), Guided)
    with pytest.raises(InputError, match="unit=3"):
        dream("conv2", unit=3, guide="flower")
    with pytest.raises(InputError, match="write guide=PATH"):
        dream("conv2", longest=64)
