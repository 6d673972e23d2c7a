"""What every objective owes: scores [r, k] that keep their rows, named terms, and a gradient."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from parts import names, part
from small_worlds import rows_of

from synth.core import BoundObjective, Objective, Readout
from synth.core.network import Network
from synth.networks import bundled

pytest_plugins = "console_fixtures"
COUNT = 3
COMPARES = {
    "diversity"
}  # the pictures of one genome with each other: of a single one there is nothing to say


@pytest.fixture(scope="module")
def box(weights: Path) -> Network:
    """The layers and sizes of the network in the box, which the YAML files name."""
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


def _terms(
    bound: BoundObjective, network: Network, images: torch.Tensor
) -> dict[str, torch.Tensor]:
    rows = rows_of(len(images), "contract")
    return dict(bound(Readout(network.read(images, bound.layers), images, rows)))


@pytest.mark.parametrize("name", names("objective"))
def test_scores_keep_their_rows(name: str, box: Network) -> None:
    objective = part("objective", name)
    assert isinstance(objective, Objective)
    bound = objective.bind(box)
    assert set(bound.layers) <= set(box.layers)
    images = rows_of(COUNT, "pictures").uniform(3, *box.size)
    terms = _terms(bound, box, images)
    assert terms
    for value in terms.values():
        assert value.shape == (COUNT, bound.columns)
        assert bool(
            (value.isfinite() | (value == -torch.inf)).all()
        )  # minus infinity: not that column's picture
        assert bool(value.isfinite().any(1).all())
    changed = images.clone()
    changed[0] = changed[0] / 2
    for key, value in _terms(bound, box, changed).items():
        torch.testing.assert_close(
            value[1:], terms[key][1:], rtol=1e-4, atol=1e-4
        )  # the first row's change is its own
    assert name in COMPARES or any(
        not torch.equal(value[0], terms[key][0])
        for key, value in _terms(bound, box, changed).items()
    )
    targets = bound.target(rows_of(COUNT, "contract"))
    assert len(targets) == COUNT


@pytest.mark.parametrize("name", names("objective"))
@pytest.mark.parametrize("flat", [False, True], ids=["noise", "one colour"])
def test_the_gradient_is_finite(name: str, flat: bool, box: Network) -> None:
    bound = part("objective", name).bind(box)
    images = rows_of(COUNT, "pictures").uniform(3, *box.size)
    images = (torch.full_like(images, 0.25) if flat else images).requires_grad_()
    total = torch.stack([value.sum() for value in _terms(bound, box, images).values()]).sum()
    (gradient,) = torch.autograd.grad(total, images)
    assert gradient.shape == images.shape
    assert bool(gradient.isfinite().all())
    assert flat or name in COMPARES or bool((gradient.flatten(1).abs().sum(1) > 0).all())
