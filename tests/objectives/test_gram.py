"""Gram matrices by hand, covariances against torch, targets at each size, a style search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_worlds import NAMES, rows_of, wrapped
from torch import Tensor, nn

from synth import data
from synth.core import BoundObjective, Readout
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.canvas import canvas
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.errors import InputError
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch, covariance, gram
from synth.searches.gradient import Gradient
from synth.searches.lbfgs import LBFGS
from synth.searches.stages import octaves
from synth.transforms.affine import Chain


def read(bound: BoundObjective, network: Network, images: Tensor) -> Tensor:
    (value,) = bound(
        Readout(network.read(images, bound.layers), images, rows_of(len(images)))
    ).values()
    assert value.shape == (len(images), 1)
    return value[:, 0]


def by_hand(values: Tensor, centred: bool = False) -> np.ndarray:
    """sum_p f_ip f_jp / (h w) of one picture's features [c, h, w]."""
    flat = values.double().numpy().reshape(len(values), -1)
    if centred:
        flat = flat - flat.mean(1, keepdims=True)
    return np.einsum("ip,jp->ij", flat, flat) / flat.shape[1]


def error(
    network: Network, layer: str, image: Tensor, target: np.ndarray, centred: bool = False
) -> float:
    difference = by_hand(network.read(image[None], [layer])[layer][0], centred) - target
    return float((difference**2).sum() / (target**2).sum())


def style_at(
    network: Network, layer: str, name: str, size: tuple[int, int], centred: bool = False
) -> np.ndarray:
    style = data.picture(name).at(size)[None]
    return by_hand(network.read(style, [layer])[layer][0], centred)


def test_matrices_by_hand_and_torch() -> None:
    values = torch.randn(2, 5, 4, 7, generator=torch.Generator().manual_seed(0))
    for place in range(2):
        np.testing.assert_allclose(
            gram(values)[place], by_hand(values[place]), rtol=1e-4, atol=1e-6
        )
        expected = torch.cov(values[place].flatten(1), correction=0)
        torch.testing.assert_close(covariance(values)[place], expected, rtol=1e-4, atol=1e-6)
    shifted = values + torch.randn(1, 5, 1, 1)
    torch.testing.assert_close(covariance(shifted), covariance(values), rtol=1e-4, atol=1e-5)
    permuted = values.flatten(2)[:, :, torch.randperm(28)].view_as(
        values
    )  # the places do not matter
    torch.testing.assert_close(gram(permuted), gram(values), rtol=1e-4, atol=1e-6)
    big = torch.full((1, 2, 100, 100), 200.0)
    assert (
        gram(big.half()).isfinite().all()
    )  # a sum of ten thousand times 40,000 in half precision would not be
    assert gram(big.half()).dtype == torch.float32


@pytest.mark.parametrize("statistic", ["gram", "covariance"])
def test_the_score_is_the_mean_over_layers(network: Network, statistic: str) -> None:
    images, centred = torch.rand(3, 3, 16, 16), statistic == "covariance"
    bound = GramMatch("china", layers=["conv1", "conv2"], statistic=statistic).bind(network)
    assert bound.layers == ("relu1", "relu2")
    bound = bound.at((16, 16))
    # china is 640x427: in its own shape 16x11
    targets = {
        layer: style_at(network, layer, "china", (11, 16), centred) for layer in bound.layers
    }
    expected = [
        -np.mean([error(network, layer, image, targets[layer], centred) for layer in bound.layers])
        for image in images
    ]
    np.testing.assert_allclose(read(bound, network, images), expected, rtol=1e-4)


def test_moments_are_covariance_and_mean_each_by_its_length(network: Network) -> None:
    images = torch.rand(2, 3, 16, 16)
    bound = GramMatch("china", layers=["relu1"], statistic="moments").bind(network).at((16, 16))
    target = style_at(network, "relu1", "china", (11, 16), True)
    style = (
        network.read(data.picture("china").at((11, 16))[None], ["relu1"])["relu1"]
        .double()
        .mean((0, 2, 3))
    )
    means = network.read(images, ["relu1"])["relu1"].double().mean((2, 3))
    distances = (means - style).square().sum(1) / style.square().sum()
    expected = [
        -(error(network, "relu1", image, target, True) + float(mean)) / 2
        for image, mean in zip(images, distances, strict=True)
    ]
    np.testing.assert_allclose(read(bound, network, images), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "scale", "shape"),
    [((16, 24), 1.0, (16, 24)), ((16, 24), 2.0, (32, 48)), ((30, 20), 1.0, (20, 30))],
)
def test_the_style_has_its_own_shape_at_each_size(
    network: Network, size: tuple[int, int], scale: float, shape: tuple[int, int]
) -> None:
    bound = GramMatch("china", layers=["relu1"], style_scale=scale).bind(network)
    image = torch.rand(3, *size)
    first = bound.at((16, 16))
    bound = first.at(size)  # from whatever size it had before
    assert bound.at(size) is bound
    expected = error(network, "relu1", image, style_at(network, "relu1", "china", shape))
    np.testing.assert_allclose(read(bound, network, image[None])[0], -expected, rtol=1e-4)


def test_several_styles_have_the_minimiser_of_their_losses(network: Network) -> None:
    weights, images = [3.0, 1.0], torch.rand(2, 3, 16, 16)
    blend = GramMatch(["china", "flower"], weights, ["relu1"]).bind(network).at((16, 16))
    targets = [style_at(network, "relu1", name, (11, 16)) for name in ("china", "flower")]
    middle = (3 * targets[0] + targets[1]) / 4
    expected = [-error(network, "relu1", image, middle) for image in images]
    np.testing.assert_allclose(read(blend, network, images), expected, rtol=1e-4)
    # the blended loss and the sum of losses differ by a constant, up to the one scale
    summed = [
        sum(
            w * error(network, "relu1", image, t) * (t**2).sum()
            for w, t in zip(weights, targets, strict=True)
        )
        for image in images
    ]
    difference = -np.diff(read(blend, network, images))[0] * (middle**2).sum() * 4
    np.testing.assert_allclose(difference, np.diff(summed)[0], rtol=1e-3)


def test_depths_are_items(network: Network) -> None:
    images = torch.rand(2, 3, 16, 16)
    bound = GramMatch("china", depth=[1, 2]).bind(network).at((16, 16))
    assert bound.layers == ("relu1", "relu2")
    assert [target.name for target in bound.items or ()] == ["to relu1", "to relu2"]
    alone, whole = (GramMatch("china", depth=depth).bind(network) for depth in ([2], 2))
    assert [target.name for target in alone.items or ()] == [
        "to relu2"
    ]  # the same name as beside others
    assert [target.name for target in whole.items or ()] == ["china.jpg"]
    errors = [
        [
            error(network, layer, image, style_at(network, layer, "china", (11, 16)))
            for layer in bound.layers
        ]
        for image in images
    ]
    np.testing.assert_allclose(
        read(bound, network, images), [-errors[0][0], -np.mean(errors[1])], rtol=1e-4
    )
    assert GramMatch("china", depth=1).bind(network).layers == ("relu1",)


def test_gradient_by_finite_differences(network: Network) -> None:
    bound = (
        GramMatch("china", layers=["relu1", "relu2"], statistic="covariance")
        .bind(network)
        .at((16, 16))
    )
    activations = [torch.rand(2, network.layers[layer][0], 3, 4) for layer in bound.layers]

    def score(activations: list[Tensor]) -> Tensor:
        named = dict(zip(bound.layers, activations, strict=True))
        return bound(Readout(named, torch.rand(2, 3, 16, 16), rows_of(2)))["style"].sum()

    slopes = torch.autograd.grad(
        score([values.requires_grad_() for values in activations]), activations
    )
    draws = torch.Generator().manual_seed(0)
    for which, (values, slope) in enumerate(zip(activations, slopes, strict=True)):
        direction = torch.randn(values.shape, generator=draws)
        ends = []
        for step in (-1e-2, 1e-2):
            shifted = list(activations)
            shifted[which] = values + step * direction
            ends.append(float(score(shifted).detach()))
        np.testing.assert_allclose(
            (ends[1] - ends[0]) / 2e-2, float((slope * direction).sum()), rtol=2e-2
        )


def _problem(network: Network, size: tuple[int, int], content: float = 0.02) -> ImageProblem:
    terms = {
        "style": GramMatch("flower", layers=["conv1", "conv2"]),
        "content": FeatureMatch("conv2", content="china", weight=content),
    }
    bound = WeightedSum(terms).bind(network).at(size)
    return ImageProblem(network, canvas("china", size=size), Chain(), bound, bound)


@pytest.mark.parametrize(
    "search", [Gradient(80, rate=0.03), LBFGS(40), octaves(Gradient(rate=0.03), 2, 2.0, 40)]
)
def test_a_style_is_reached(network: Network, search: Gradient | LBFGS) -> None:
    problem, rows = _problem(network, (32, 32)), rows_of(1)
    before = float(problem.evaluate(problem.start(rows), rows).terms["style"])
    state = search.init(problem, rows)
    for step in range(search.steps):
        state, report = search.step(problem, rows, state, step)
    after = float(problem.evaluate(report.genome, rows).terms["style"])
    assert after > 0.1 * before
    assert -0.2 < before < -0.01 or before < -0.2


def test_targets_are_those_of_the_stage(network: Network) -> None:
    """A smaller stage compares with the pictures at its own size."""
    problem = _problem(network, (32, 32))
    half = problem.at(size=(16, 16))
    assert isinstance(half, ImageProblem)
    image = data.picture("flower").at((16, 16))
    activations = network.read(image[None], half.objective.layers)
    terms = half.objective(Readout(activations, image[None], rows_of(1)))
    targets = (
        style_at(network, "relu1", "flower", (11, 16)),
        style_at(network, "relu2", "flower", (11, 16)),
    )
    expected = np.mean([error(network, f"relu{i + 1}", image, targets[i]) for i in range(2)])
    np.testing.assert_allclose(float(terms["style"]), -expected, rtol=1e-4)


def test_a_small_picture_file_is_no_mistake_but_a_small_style_is(
    network: Network, tmp_path: Path
) -> None:
    data.to_image(torch.rand(3, 9, 40)).save(tmp_path / "thin.png")
    thin = GramMatch(str(tmp_path / "thin.png"), layers=["conv2"]).bind(network)
    thin.at((64, 64))
    with pytest.raises(
        InputError, match=r"style=thin.png: at 1x6 pixels it is too small for relu2"
    ):
        thin.at((6, 6))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"style": None}, "style: whose style"),
        ({"style": "nowhere.png"}, "style=nowhere.png: no such file"),
        ({"weights": [1, 2]}, "weights: 2 for 1 styles; write one for each"),
        ({"style": ["china", "flower"], "weights": [1, -1]}, "they are shares"),
        ({"style": ["china", "flower"], "weights": [0, 0]}, "they are shares"),
        ({"statistic": "gramm"}, "statistic=gramm: no such statistic. Did you mean gram"),
        ({"colours": "contents"}, "colours=contents: no such colours"),
        ({"colours": "content"}, "colours=content: .* write content=PATH"),
        ({"depth": []}, r"depth=\[\]: name at least one"),
        ({"style_scale": 0}, "style_scale=0: write a scale above 0"),
    ],
)
def test_mistakes(words: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GramMatch(**{"style": "china"} | words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"layers": ["fc"]}, "layers: fc of tiny has no places"),
        ({"layers": ["conv7"]}, "layer=conv7: tiny has no such layer"),
        ({"layers": ["conv1", "relu1"]}, "each once"),
        ({"layers": []}, "name one layer or more"),
        ({"depth": 3}, "depth=3: there are 2 layers; write 1 to 2"),
    ],
)
def test_mistakes_of_names_in_the_network(
    network: Network, words: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        GramMatch("china", **words).bind(network)


def test_a_content_too_small() -> None:
    coarse = wrapped(
        nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        NAMES[:4],
    )
    objective = GramMatch("china", layers=["1"], style_scale=4)
    with pytest.raises(InputError, match=r"encoding.size=8x8: too small for 1; write a larger one"):
        Experiment(coarse, canvas("china", size=8), objective, Gradient(2))
