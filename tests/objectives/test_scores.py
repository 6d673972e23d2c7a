"""Activation objectives, against scipy on the logits and plain sums over layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy import special, stats
from small_worlds import NAMES, rows_of
from torch import Tensor

from synth.core import Objective, Readout, Rows
from synth.core.network import OUTPUT, Network
from synth.errors import InputError
from synth.objectives.scores import Channel, ClassScore, Direction, Neuron


def pixels(count: int) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def read(network: Network, objective: Objective, images: Tensor, rows: Rows) -> Tensor:
    """The objective's one term, [r], on `images`."""
    bound = objective.bind(network)
    (value,) = bound(Readout(network.read(images, bound.layers), images, rows)).values()
    assert value.shape == (len(rows), bound.columns)
    return value[:, 0]


@pytest.mark.parametrize(
    ("score", "formula"),
    [
        ("logit", lambda scores: scores),
        ("log_probability", special.log_softmax),
        ("probability", special.softmax),
        (
            "margin",
            lambda scores: np.array(
                [logits - max(np.delete(scores, i)) for i, logits in enumerate(scores)]
            ),
        ),
    ],
)
def test_class_scores(network: Network, score: str, formula) -> None:
    images = pixels(4)
    scores = network(images).double().numpy()
    expected = np.stack([formula(logits) for logits in scores])
    targets: list[str | int] = ["lemon", 0, "n00000002", "King_Penguin"]
    values = read(network, ClassScore(targets, score), images, rows_of(4))
    np.testing.assert_allclose(values, expected[np.arange(4), [3, 0, 2, 1]], atol=1e-5)
    order = torch.tensor([3, 1])
    values = read(network, ClassScore(targets, score), images[order], rows_of(4).select(order))
    np.testing.assert_allclose(values, expected[[3, 1], [1, 0]], atol=1e-5)
    np.testing.assert_allclose(
        read(network, ClassScore("teapot", score), images, rows_of(4)), expected[:, 2], atol=1e-5
    )


def test_class_targets_have_names_and_indices(network: Network) -> None:
    bound = ClassScore("all").bind(network)
    assert [(target.name, target.index) for target in bound.items] == list(
        zip(NAMES, range(5), strict=True)
    )
    order = rows_of(5).select(torch.tensor([4, 0]))
    assert [target.name for target in bound.target(order)] == [NAMES[4], NAMES[0]]
    single = ClassScore("lemon").bind(network)
    assert [target.index for target in single.target(order)] == [3, 3]


def test_a_random_target_is_the_items_own_and_stays(network: Network) -> None:
    bound, rows, images = (
        ClassScore("random").bind(network),
        rows_of(400),
        pixels(1).expand(400, -1, -1, -1),
    )
    assert bound.items is None
    targets = [target.index for target in bound.target(rows)]
    assert stats.chisquare(np.bincount(targets, minlength=5)).pvalue > 0.01
    scores = network(pixels(1))[0]
    for variant in (
        rows,
        rows.fold_in(0),
        rows.fold_in(17).fold_in(3),
        rows.split(1),
        rows.repeat(1),
    ):
        activations = {OUTPUT: scores.expand(400, -1)}
        (value,) = bound(Readout(activations, images, variant)).values()
        assert torch.equal(value[:, 0], scores[torch.tensor(targets)])
        assert [target.index for target in bound.target(variant)] == targets
    crowd = rows.select(slice(0, 3)).fold_in(2).split(4)
    assert [target.index for target in bound.target(crowd)] == [
        t for t in targets[:3] for _ in range(4)
    ]


@pytest.mark.parametrize("at", [None, (0, 0), (7, 3)])
def test_a_neuron_is_one_place_of_its_map(network: Network, at: Sequence[int] | None) -> None:
    images, rows = pixels(3), rows_of(3)
    maps = network.read(images, ("conv2",))["conv2"]
    y, x = at or (4, 4)  # of 8 x 8
    expected = torch.stack([maps[0, 2, y, x], maps[1, 11, y, x], maps[2, 0, y, x]])
    assert torch.equal(read(network, Neuron("conv2", [2, 11, 0], at), images, rows), expected)
    assert torch.equal(read(network, Neuron("conv2", 5, at), images, rows), maps[:, 5, y, x])
    names = [target.name for target in Neuron("conv2", [2, 11, 0], at).bind(network).items]
    assert names == [f"conv2@{y},{x}:{unit}" for unit in (2, 11, 0)]


def test_a_neuron_keeps_its_place_in_a_picture_of_another_size(network: Network) -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps = network.read(images, ("conv2",))["conv2"]
    assert maps.shape[2:] == (16, 16)  # where the network's own size gives 8 x 8
    for place, (y, x) in (((0, 0), (1, 1)), ((4, 4), (9, 9)), ((7, 0), (15, 1)), (None, (9, 9))):
        assert torch.equal(
            read(network, Neuron("conv2", 5, place), images, rows_of(2)), maps[:, 5, y, x]
        )


def test_a_neuron_of_a_flat_layer_is_its_number(network: Network) -> None:
    images, rows = pixels(3), rows_of(3)
    values = network.read(images, ("fc",))["fc"]
    assert torch.equal(
        read(network, Neuron("fc", [4, 0, 1]), images, rows),
        values[torch.arange(3), torch.tensor([4, 0, 1])],
    )
    assert torch.equal(read(network, Channel("fc", 2), images, rows), values[:, 2])
    assert [target.name for target in Neuron("output", 3).bind(network).items] == ["output:3"]


def test_a_channel_is_the_mean_of_its_map(network: Network) -> None:
    images, rows = pixels(3), rows_of(3)
    maps = network.read(images, ("relu1",))["relu1"].double().numpy()
    values = read(network, Channel("relu1", [7, 0, 3]), images, rows)
    np.testing.assert_allclose(
        values, [maps[i, unit].mean() for i, unit in enumerate((7, 0, 3))], rtol=1e-5
    )
    wide = torch.rand(
        2, 3, 30, 22, generator=torch.Generator().manual_seed(1)
    )  # another size than the network's
    maps = network.read(wide, ("relu1",))["relu1"]
    torch.testing.assert_close(
        read(network, Channel("relu1", 4), wide, rows_of(2)), maps[:, 4].mean((1, 2))
    )


def test_a_unit_along_a_direction_is_the_projection(network: Network) -> None:
    images, rows = pixels(3), rows_of(3)
    vectors = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))
    maps = network.read(images, ("conv2",))["conv2"]
    projected = torch.einsum("nchw,kc->nkhw", maps.double(), vectors.double()).float()
    neuron = Neuron("conv2", [3, 0, 1], directions=vectors)
    values = read(network, neuron, images, rows)
    expected = projected[torch.arange(3), torch.tensor([3, 0, 1])]
    torch.testing.assert_close(values, expected[:, 4, 4], rtol=1e-4, atol=1e-5)
    channel = Channel("conv2", [3, 0, 1], directions=vectors.numpy())
    values = read(network, channel, images, rows)
    torch.testing.assert_close(values, expected.mean((1, 2)), rtol=1e-4, atol=1e-5)
    names = [target.name for target in neuron.bind(network).items]
    assert names == [f"direction@4,4:{number}" for number in (3, 0, 1)]
    flat = Neuron("fc", 1, directions=torch.eye(5))
    values = read(network, flat, images, rows)
    assert torch.equal(values, network.read(images, ("fc",))["fc"][:, 1])


def lucid_direction(values: np.ndarray, vector: np.ndarray, power: float) -> np.ndarray:
    """`_dot_cossim` of lucid/optvis/objectives.py: [n, places, channels] to [n]."""
    dot = values @ vector
    cosine = dot / (np.linalg.norm(values, axis=-1) * np.linalg.norm(vector))
    return (dot * np.maximum(0.1, cosine) ** power).mean(1)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("layer", ["conv2", "fc"])
def test_a_direction_is_lucids(network: Network, layer: str, power: float) -> None:
    images, rows = pixels(4), rows_of(4)
    values = (
        network.read(images, (layer,))[layer].double().flatten(2)
        if layer == "conv2"
        else network(images).double()[:, :, None]
    )
    length = values.shape[1]
    vector = np.random.default_rng(0).normal(size=length)
    expected = lucid_direction(values.numpy().swapaxes(1, 2), vector, power)
    values = read(network, Direction(layer, vector.tolist(), power), images, rows)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_directions_gradient_is_finite_where_the_layer_is_silent(network: Network) -> None:
    bound = Direction("conv1", [1.0] * 8).bind(network)
    values = torch.zeros(2, 8, 4, 4, requires_grad=True)
    (value,) = bound(Readout({"conv1": values}, pixels(2), rows_of(2))).values()
    (gradient,) = torch.autograd.grad(value.sum(), values)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Neuron("conv9", 0), r"layer=conv9: tiny has no such layer\. Did you mean conv"),
        (Neuron("conv2", 12), "unit=12: conv2 has units 0 to 11"),
        (Channel("conv2", [0, -1]), "unit=-1: conv2 has units 0 to 11"),
        (Neuron("conv2", 0, (8, 0)), r"at=\[8, 0\]: conv2 is 8x8; write \[y, x\] inside it"),
        (Neuron("conv2", 0, (1,)), r"at=\[1\]"),
        (Neuron("conv2", 2, directions=torch.ones(2, 12)), "unit=2: direction has units 0 to 1"),
        (Neuron("conv1", 0, directions=torch.ones(2, 12)), "12 numbers each, but conv1 has 8"),
        (Channel(None, 0, directions=torch.ones(2, 12)), "directions: write layer=NAME"),
        (Direction("conv2", [1.0, 2.0]), "vector: 2 numbers, but conv2 has 12 channels"),
        (Direction("conv2", [0.0] * 12), "all zeros point nowhere"),
        (ClassScore("lemmon"), r"target=lemmon: tiny has no such class\. Did you mean lemon\?"),
        (ClassScore([]), "name at least one class"),
    ],
)
def test_mistakes_of_names_in_the_network(
    network: Network, objective: Objective, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        objective.bind(network)


def test_mistakes() -> None:
    with pytest.raises(InputError, match=r"no such score\. Did you mean probability"):
        ClassScore("lemon", "probabilty")
    with pytest.raises(InputError, match="name at least one unit"):
        Channel("conv2", [])
