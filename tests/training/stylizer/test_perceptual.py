"""The perceptual loss against the objectives of recipe=style_transfer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import rows_of, tiny_module, wrapped
from torch import Tensor

from synth import data
from synth.core import Readout
from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.errors import InputError
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.training.stylizer.perceptual import PerceptualLoss

SIZE, LAYERS = (24, 16), ["conv1", "conv2"]


def loss_of(network: Network, layer: str | None = None) -> PerceptualLoss:
    style = GramMatch("flower", layers=LAYERS, weight=2.0)
    return PerceptualLoss(
        network, style, 0.3, TotalVariation(per_pixel=True, weight=0.7), SIZE, layer
    )


def scores_of_search(
    network: Network, images: Tensor, content: str, layer: str | None
) -> dict[str, Tensor]:
    """The scores of the search, of pictures that share one content."""
    objective = WeightedSum(
        {
            "style": GramMatch("flower", layers=LAYERS, weight=2.0),
            "content": FeatureMatch(layer, content=content, weight=0.3),
            "tv": TotalVariation(per_pixel=True, weight=0.7),
        }
    )
    bound = objective.bind(network).at(SIZE)
    return dict(bound(Readout(network.read(images, bound.layers), images, rows_of(len(images)))))


@pytest.mark.parametrize("layer", [None, "conv2"])
def test_each_term_is_minus_a_score_of_the_search(
    layer: str | None, network: Network, tmp_path: Path
) -> None:
    images = torch.rand(2, 3, *SIZE)
    contents = (torch.rand(2, 3, *SIZE) * 255).round() / 255
    terms = loss_of(network, layer)(images, contents)
    assert list(terms) == ["style", "content", "tv"]
    for place, content in enumerate(contents):
        data.to_image(content).save(tmp_path / f"{place}.png")
        path = str(tmp_path / f"{place}.png")
        scores = scores_of_search(network, images[place : place + 1], path, layer)
        for name, value in scores.items():
            assert float(terms[name][place]) == pytest.approx(-float(value), rel=1e-5), name


def test_the_gradient_is_the_searchs(network: Network, tmp_path: Path) -> None:
    image, content = torch.rand(1, 3, *SIZE), (torch.rand(1, 3, *SIZE) * 255).round() / 255
    data.to_image(content[0]).save(tmp_path / "content.png")
    own, search = (image.clone().requires_grad_() for _ in range(2))
    sum(loss_of(network)(own, content).values()).sum().backward()
    scores = scores_of_search(network, search, str(tmp_path / "content.png"), None)
    sum(scores.values()).sum().backward()
    assert torch.allclose(own.grad, -search.grad, rtol=1e-4, atol=1e-7)


def test_the_photograph_itself_has_no_distance_to_its_content(network: Network) -> None:
    images = torch.rand(2, 3, *SIZE)
    assert float(loss_of(network)(images, images)["content"].abs().max()) == 0
    black = torch.zeros(1, 3, *SIZE)
    assert bool(loss_of(network)(black, black)["content"].isfinite().all())


def test_a_size_that_a_layer_cannot_read() -> None:
    module = tiny_module()
    module.pool2 = torch.nn.MaxPool2d(2)  # the head fits one size alone
    network = wrapped(module)
    with pytest.raises(
        InputError,
        match=r"^layers=, layer=: tiny cannot read pictures of 24x16 at all of .*fc; name",
    ):
        loss_of(network, "fc")


def test_layers_that_are_not_there(network: Network) -> None:
    with pytest.raises(InputError, match=r"^layer=conv9: "):
        loss_of(network, "conv9")
