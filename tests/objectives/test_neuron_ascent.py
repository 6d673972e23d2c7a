"""Activation maximisation of a first-layer unit, whose solution is known: its own filter."""

from __future__ import annotations

import pytest
import torch
from small_worlds import tiny_module, wrapped

from synth.core.network import Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.objectives.priors import L2
from synth.objectives.scores import Neuron
from synth.searches.gradient import Gradient

MEAN = (0.485, 0.456, 0.406)


@pytest.fixture(scope="module")
def network() -> Network:
    return wrapped(tiny_module())


@pytest.mark.parametrize(("rule", "rate"), [("sgd", 0.05), ("adam", 0.005), ("unit", 0.02)])
def test_the_picture_of_a_first_layer_unit_is_its_filter(
    network: Network, rule: str, rate: float
) -> None:
    units = [0, 3, 7]
    objective = WeightedSum({"unit": Neuron("conv1", units), "l2": L2(mean=MEAN, weight=2.0)})
    experiment = Experiment(
        network, Pixels(start="noise", noise=0.02), objective, Gradient(200, rule, rate, 1e-4)
    )
    search, problem, rows = experiment.search_method, experiment.problem, experiment.rows
    assert isinstance(problem, ImageProblem)
    state = search.init(problem, rows)
    for step in range(search.steps):
        state, _ = search.step(problem, rows, state, step)
    difference = problem.images(state["genome"], rows) - torch.tensor(MEAN).view(1, 3, 1, 1)
    weights = network.module.get_parameter("conv1.weight").detach()
    for row, unit in enumerate(units):
        # the receptive field of the unit in the middle is 3x3, behind the normalisation
        filter_, patch = weights[unit] * network.scale[0], difference[row, :, 7:10, 7:10]
        assert float(torch.cosine_similarity(filter_.flatten(), patch.flatten(), dim=0)) > 0.95
        correlation = torch.corrcoef(torch.stack([weights[unit].flatten(), patch.flatten()]))[0, 1]
        assert float(correlation) > 0.95
        rest = difference[row].clone()
        rest[:, 7:10, 7:10] = 0
        assert float(rest.norm()) < 0.05 * float(
            patch.norm()
        )  # outside of the receptive field the L2 prior alone acts
