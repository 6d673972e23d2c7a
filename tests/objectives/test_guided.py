"""Guided DeepDream, against every pair of places written out, and its gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import rows_of, tiny_module, wrapped
from torch import Tensor

from synth import data
from synth.core import Readout
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives.guided import Guided, best_matches


@pytest.fixture(scope="module")
def network() -> Network:
    return wrapped(tiny_module())


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("guide") / "wide.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 40, 3), dtype=np.uint8)).save(
        path
    )
    return str(path)


def score(objective: Guided, network: Network, images: Tensor) -> Tensor:
    bound = objective.bind(network)
    (value,) = bound(
        Readout(network.read(images, bound.layers), images, rows_of(len(images), "guided"))
    ).values()
    return value[:, 0]


def test_it_is_the_sum_over_places_of_the_best_dot_product(network: Network, guide: str) -> None:
    images = rows_of(2, "pictures").uniform(3, 12, 18)
    scores = score(Guided(guide, "conv2"), network, images)
    image = data.picture(guide).at((8, 16))[
        None
    ]  # in its own shape, its longer side that of the network
    features = network.read(image, ["relu2"])["relu2"][0].numpy()
    for row, values in enumerate(network.read(images, ["relu2"])["relu2"].numpy()):
        whole = 0.0
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                whole += max(
                    float(values[:, y, x] @ features[:, down, right])
                    for down in range(features.shape[1])
                    for right in range(features.shape[2])
                )
        assert float(scores[row]) == pytest.approx(whole / values.size, rel=1e-4)


def test_its_gradient_at_the_layer_is_the_best_feature_of_the_guide(
    network: Network, guide: str
) -> None:
    images = rows_of(2, "pictures").uniform(3, 10, 10)
    bound = Guided(guide, "conv2").bind(network)
    activations = {
        name: value.clone().requires_grad_()
        for name, value in network.read(images, bound.layers).items()
    }
    (value,) = bound(Readout(activations, images, rows_of(2, "guided"))).values()
    (slope,) = torch.autograd.grad(value.sum(), activations["relu2"])
    features = network.read(data.picture(guide).at((8, 16))[None], ["relu2"])["relu2"][0].flatten(1)
    best = torch.einsum("ncp,cq->npq", activations["relu2"].detach().flatten(2), features).argmax(2)
    expected = torch.stack([features[:, index] for index in best]).view_as(slope) / slope[0].numel()
    active = activations["relu2"].detach() > 0  # at 0 the gradient is the ReLU's own
    torch.testing.assert_close(slope[active], expected[active])


def test_the_best_match_is_found_in_pieces_of_any_size() -> None:
    draws = torch.Generator().manual_seed(0)
    values, features = torch.randn(3, 5, 14, generator=draws), torch.randn(5, 9, generator=draws)
    best = torch.einsum("rcp,cq->rpq", values, features).argmax(2)
    expected = torch.stack([features[:, index] for index in best])
    for chunk in (1, 9, 40, 100, 1 << 24):
        assert torch.equal(best_matches(values, features, chunk), expected)


def test_memory_stays_within_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    usual = torch.Tensor.argmax

    def monitored(self: Tensor, *words: Any) -> Tensor:
        nonlocal largest
        largest = max(largest, self.numel())
        return usual(self, *words)

    monkeypatch.setattr(torch.Tensor, "argmax", monitored)
    best_matches(torch.rand(2, 3, 400), torch.rand(3, 50), chunk=1000)
    assert 0 < largest <= 1000


def test_a_list_of_layers_is_an_item_each(network: Network, guide: str) -> None:
    images = rows_of(2, "pictures").uniform(3, 16, 16)
    both = score(Guided(guide, ["conv1", "conv2"]), network, images)
    assert both[0] == pytest.approx(
        float(score(Guided(guide, "conv1"), network, images)[0]), rel=1e-5
    )
    assert both[1] == pytest.approx(
        float(score(Guided(guide, "conv2"), network, images)[1]), rel=1e-5
    )
    assert [
        target.name for target in Guided(guide, ["conv1", "conv2"]).bind(network).items or ()
    ] == [
        "relu1",
        "relu2",
    ]


def test_a_picture_that_is_the_guide_matches_itself_best(network: Network, guide: str) -> None:
    """The best product is at least |x|^2, so the score is at least twice the energy."""
    image = data.picture(guide).at((8, 16))[None]
    values = network.read(image, ["relu2"])["relu2"]
    assert float(score(Guided(guide, "conv2"), network, image)) >= float(values.square().mean()) * (
        1 - 1e-5
    )


def test_longest_and_rectified(network: Network, guide: str) -> None:
    bound = Guided(guide, "conv1", longest=32).bind(network)
    assert bound.features["relu1"].shape == (8, 16 * 32)
    raw = Guided(guide, "conv2", rectified=False).bind(network)
    assert bool((raw.features["conv2"] < 0).any())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"layer": "fc"}, "layer=fc: a guide is followed place by place"),
        ({"layer": "output"}, "name a spatial layer, pool2"),
        ({"layer": "conv9"}, "layer=conv9"),
        ({"layer": []}, r"layer=\[\]"),
        ({"longest": 4}, "from 8 to 8192"),
        ({"guide": None}, "write guide=PATH"),
        ({"guide": "nowhere.png"}, "guide=nowhere.png: no such file"),
        ({"guide": "SLIM"}, "at 16x1 pixels it is too small for tiny at relu2"),
    ],
)
def test_mistakes(
    words: dict[str, Any], message: str, network: Network, guide: str, tmp_path: Path
) -> None:
    if words.get("guide") == "SLIM":
        Image.new("RGB", (128, 8), (200, 40, 90)).save(tmp_path / "slim.png")
        words = {"guide": str(tmp_path / "slim.png")}
    with pytest.raises(InputError, match=message) as raised:
        Guided(**({"guide": guide, "layer": "conv2"} | words)).bind(network)
    assert "\n" not in str(raised.value)
