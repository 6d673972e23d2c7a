"""Every YAML in ``conf/objective/``: scores per sample, named terms, finite gradients.

An objective that cannot be built from its defaults gives the overrides that it needs in its YAML:
``# test: +image=china``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from synth.contract.cases import for_each
from synth.contract.parts import part
from synth.contract.worlds import rows_of
from synth.core import BoundObjective, Objective, Readout
from synth.core.network import Network
from synth.networks import bundled

GENOMES = 3


@pytest.fixture(scope="module")
def network(weights: Path) -> Network:
    """The bundled network, whose layers and sizes the YAML files name."""
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


def noise(network: Network, per_genome: int) -> Tensor:
    return rows_of(GENOMES * per_genome, "pictures").uniform(3, *network.size)


def evaluate(
    bound: BoundObjective, network: Network, images: Tensor, per_genome: int
) -> Mapping[str, Tensor]:
    """The terms of `GENOMES` genomes that decode to `per_genome` images each."""
    rows = rows_of(GENOMES, "contract")
    rows = rows.split(per_genome) if per_genome > 1 else rows
    activations = network.read(images, bound.layers)
    return bound(Readout(activations, images, rows, images_per_genome=per_genome))


@for_each(name="objective")
def test_it_is_bound_to_layers_and_items_of_the_network(name: str, network: Network) -> None:
    objective = part("objective", name)
    assert isinstance(objective, Objective)
    bound = objective.bind(network)
    assert set(bound.layers) <= set(network.layers)
    assert len(bound.target(rows_of(GENOMES, "contract"))) == GENOMES
    assert isinstance(bound.at(network.size), BoundObjective)


@for_each(name="objective")
@pytest.mark.parametrize("per_genome", [1, 2])
def test_scores_are_per_genome_and_depend_on_the_image(
    name: str, per_genome: int, network: Network
) -> None:
    bound = part("objective", name).bind(network)
    images = noise(network, per_genome)
    terms = evaluate(bound, network, images, per_genome)
    assert terms
    for value in terms.values():
        assert value.shape == (len(images), bound.columns)
        # minus infinity: the image does not belong to that column
        assert bool((value.isfinite() | (value == -torch.inf)).all())
        assert bool(value.isfinite().any(1).all())
    changed = images.clone()
    changed[0] = changed[0] / 2
    after = evaluate(bound, network, changed, per_genome)
    for key, value in after.items():
        others = slice(per_genome, None)  # images of the genomes that did not change
        torch.testing.assert_close(value[others], terms[key][others], rtol=1e-4, atol=1e-4)
    if per_genome > 1:  # an objective may compare the images of one genome, which takes two
        assert any(not torch.equal(value[0], terms[key][0]) for key, value in after.items())


@for_each(name="objective")
@pytest.mark.parametrize("per_genome", [1, 2])
@pytest.mark.parametrize("flat", [False, True], ids=["noise", "one colour"])
def test_the_gradient_is_finite(name: str, per_genome: int, flat: bool, network: Network) -> None:
    bound = part("objective", name).bind(network)
    images = noise(network, per_genome)
    images = (torch.full_like(images, 0.25) if flat else images).requires_grad_()
    terms = evaluate(bound, network, images, per_genome)
    total = torch.stack([value.sum() for value in terms.values()]).sum()
    (gradient,) = torch.autograd.grad(total, images)
    assert gradient.shape == images.shape
    assert bool(gradient.isfinite().all())
    if per_genome > 1 and not flat:
        assert bool((gradient.flatten(1).abs().sum(1) > 0).all())
