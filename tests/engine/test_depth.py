"""Rows that pass the network only as deep as their own item needs."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from small_worlds import modules_of, rows_of, tiny_module, wrapped
from torch import Tensor

from synth.core import Objective, Rows, ones
from synth.core.network import OUTPUT, Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.pixels import Pixels
from synth.encodings.several_images import SeveralImages
from synth.engine import fitness
from synth.engine.fitness import EXACT_WIDTH, ImageProblem
from synth.objectives.energy import Energy
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.objectives.guided import Guided
from synth.objectives.priors import TotalVariation
from synth.objectives.scores import ClassScore
from synth.transforms.affine import Chain, Jitter

LAYERS = ["conv2", "conv1", "pool2", "conv1"]  # read at relu2, relu1, pool2, relu1
ITEMS = torch.tensor([3, 0, 2, 1, 0, 2])
OBJECTIVES = {
    "energy": Energy(LAYERS, [0, 1, 2, 3]),
    "features": FeatureMatch(LAYERS, image="china"),
    "guided": Guided("flower", LAYERS),
    "gram": GramMatch("china", layers=["conv1", "conv2", "pool2"], depth=[2, 1, 3, 1]),
}


@pytest.fixture(autouse=True)
def passes_however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "LEAST_CPU_PASS", 0)


@pytest.fixture(scope="module")
def still_network() -> Network:
    return wrapped(tiny_module())


def problem(
    network: Network, objective: Objective, monitor: Objective | None = None, **parts: object
) -> ImageProblem:
    bound = objective.bind(network).at((16, 16))
    usual = {"encoding": Pixels((16, 16)), "transform": Chain([Jitter(0.2)])}
    usual["monitor"] = bound if monitor is None else monitor.bind(network).at((16, 16))
    return ImageProblem(network=network, objective=bound, **usual | parts)


def images_at_layers(network: Network) -> Counter[str]:
    """How many images each layer computes from here on."""
    counts: Counter[str] = Counter()
    for module in modules_of(network):
        for name, part in module.named_children():
            part.register_forward_pre_hook(
                lambda _, inputs, name=name: counts.update({name: len(inputs[0])})
            )
    return counts


@pytest.mark.parametrize(
    "options",
    [{}, {"memory": 60_000}, {"views": 2, "encoding": SeveralImages(Pixels((16, 16)), 3, 16)}],
    ids=["one image", "chunks", "three images, two views"],
)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_rows_of_several_depths_are_what_they_are_together(
    name: str,
    options: dict[str, object],
    still_network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terms = {name: OBJECTIVES[name], "smooth": TotalVariation(weight=0.01)}
    whole = problem(still_network, WeightedSum(terms), Energy(LAYERS), **options)
    rows = Rows(ITEMS, rows_of(len(ITEMS)).key)
    genome = rows.uniform(*whole.start(rows).shape[1:])
    apart = whole.evaluate(genome, rows, ones)
    monkeypatch.setattr(fitness, "LEAST_CPU_PASS", 1 << 40)
    together = whole.evaluate(genome, rows, ones)
    assert len(together.scores.unique()) == len(rows)
    assert apart.terms.keys() == together.terms.keys() == terms.keys()
    for values, expected in (
        (apart.scores, together.scores),
        (apart.monitor, together.monitor),
        (apart.gradient, together.gradient),
        *((apart.terms[term], together.terms[term]) for term in terms),
    ):
        torch.testing.assert_close(values, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_layer_computes_the_rows_that_need_it(name: str, network: Network) -> None:
    rows = rows_of(4).select(ITEMS)
    genome = rows.uniform(3, 16, 16)
    counts = images_at_layers(network)
    whole = problem(network, WeightedSum({name: OBJECTIVES[name]}))
    counts.clear()  # without what targets are measured with
    whole.evaluate(genome, rows, ones)
    shallow, deep = int((ITEMS % 2 == 1).sum()), int((ITEMS == 2).sum())
    assert counts["conv1"] == counts["relu1"] == len(rows)
    assert counts["conv2"] == counts["relu2"] == len(rows) - shallow
    assert counts["pool2"] == deep
    assert not counts["fc"]


def test_the_monitor_needs_its_layers_too(network: Network) -> None:
    rows, counts = rows_of(4), images_at_layers(network)
    whole = problem(network, OBJECTIVES["energy"], ClassScore([0, 1, 2, 3]))
    assert whole._depths[0] == [("relu2", OUTPUT, "relu1", "pool2")]
    counts.clear()
    whole.evaluate(rows.uniform(3, 16, 16), rows)
    assert counts["fc"] == 4


@pytest.mark.parametrize("exact", [False, True])
def test_small_or_padded_rows_pass_together(
    exact: bool, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, counts = rows_of(4), images_at_layers(network)
    whole = problem(network, OBJECTIVES["energy"], exact=exact)
    genome = rows.uniform(3, 16, 16)
    apart = problem(network, OBJECTIVES["energy"]).evaluate(genome, rows).scores
    if not exact:
        least = int(network.bytes_per_image((16, 16)) * 4 / 3) + 1
        monkeypatch.setattr(fitness, "LEAST_CPU_PASS", least)
    counts.clear()
    torch.testing.assert_close(whole.evaluate(genome, rows).scores, apart)
    assert counts["pool2"] == (EXACT_WIDTH if exact else 4)


def test_one_depth_asks_the_device_nothing(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting(*_: object, **__: object) -> None:
        raise AssertionError("it waits for the device")

    rows = rows_of(3)
    genome = rows.uniform(3, 16, 16)
    whole = problem(network, Energy("conv2", [0, 1, 2]))
    monkeypatch.setattr(Tensor, "bincount", waiting)
    monkeypatch.setattr(Tensor, "tolist", waiting)
    assert whole.evaluate(genome, rows, ones).gradient is not None
    with pytest.raises(AssertionError, match="waits"):
        problem(network, Energy(["conv1", "conv2", "conv2"])).evaluate(genome, rows)
