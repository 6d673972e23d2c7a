"""Units, layers, functions and sums of them as objectives, each item on its own."""

from __future__ import annotations

import pytest
import torch

import synth
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives.priors import TotalVariation
from synth.objectives.scores import Channel, ClassScore

FEW = {"recipe": "class_ascent", "steps": 3, "progress": False}


def test_a_list_is_an_item_each_as_if_it_were_alone(network: Network) -> None:
    specs = [
        "conv1:1",
        "conv1",
        lambda activations: activations["conv2"][:, 3].mean((1, 2)),
        "output:2",
    ]
    together = synth.visualise(network, specs, exact=True, **FEW)
    assert [item.target for item in together.items] == ["conv1:1", "relu1", "lambda", "output:2"]
    assert all(item.confidence is None for item in together.items)
    for place, spec in enumerate(specs):
        alone = synth.visualise(network, [spec], exact=True, **FEW)
        # the random start depends on the name of the item, not on its place
        assert torch.equal(alone.images[0], together.images[place])


def test_a_function_is_what_it_computes(network: Network) -> None:
    channel = synth.visualise(network, "conv1:3", **FEW)
    function = synth.visualise(network, lambda a: a["conv1"][:, 3].mean((1, 2)), **FEW)
    assert channel.items[0].score == pytest.approx(function.items[0].score, rel=1e-5)


def test_objectives_add_and_multiply(network: Network) -> None:
    image = torch.rand(1, 3, 16, 16)
    lemon, smooth, unit = ClassScore("lemon"), TotalVariation(), Channel("conv1", 1)
    total = lemon - 0.1 * smooth + 2 * (unit - lemon)
    terms = total.terms
    assert [term.weight for term in terms.values()] == [1.0, -0.1, 2.0, -2.0]
    assert list(terms) == ["classscore", "totalvariation", "channel", "classscore_2"]
    assert lemon.weight == 1.0  # the parts stay as they are
    result = synth.visualise(network, total, steps=1, recipe="class_ascent", progress=False)
    assert result.items[0].target == "lemon"
    with pytest.raises(InputError, match="a factor of nan"):
        lemon * float("nan")
    assert image.shape == (1, 3, 16, 16)


def test_classes_by_name(network: Network) -> None:
    result = synth.visualise(network, target=["lemon", "teapot"], **FEW)
    assert [item.target for item in result.items] == ["lemon", "teapot"]
