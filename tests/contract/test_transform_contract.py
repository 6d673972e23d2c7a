"""What every transform owes: pictures still, no border to exploit, and draws that come from the rows alone."""

from __future__ import annotations

import pytest
import torch
from parts import names, part
from small_worlds import rows_of

from synth.core import Transform

COUNT = 5


@pytest.mark.parametrize("name", names("transform"))
def test_pictures_stay_pictures(name: str) -> None:
    transform = part("transform", name)
    assert isinstance(transform, Transform)
    rows = rows_of(COUNT, "contract")
    for size in ((40, 40), (33, 48)):
        images = rows.uniform(3, *size)
        seen = transform(images, rows)
        assert seen.shape[:2] == (COUNT, 3)
        assert min(seen.shape[2:]) >= 8
        assert bool(seen.isfinite().all())
        assert -1e-5 <= float(seen.min()) <= float(seen.max()) <= 1 + 1e-5
        white = transform(torch.ones(COUNT, 3, *size), rows)
        assert float(white.min()) > 0.4, "a dark border is what an optimiser exploits"


@pytest.mark.parametrize("name", names("transform"))
def test_draws_come_from_the_rows(name: str) -> None:
    transform, rows = part("transform", name), rows_of(COUNT, "contract")
    images = rows.uniform(3, 40, 40)
    seen = transform(images, rows)
    assert torch.equal(transform(images, rows), seen)
    some = torch.tensor([3, 1])
    torch.testing.assert_close(
        transform(images[some], rows.select(some)), seen[some], rtol=0, atol=1e-6
    )
    same = images[:1].expand(COUNT, -1, -1, -1)
    alike = [
        torch.equal(one, other)
        for one, other in zip(*[transform(same, rows.fold_in(i)) for i in (1, 2)], strict=True)
    ]
    assert all(alike) != transform.stochastic


@pytest.mark.parametrize("name", names("transform"))
def test_gradients_pass(name: str) -> None:
    rows = rows_of(COUNT, "contract")
    images = rows.uniform(3, 40, 40).requires_grad_()
    (gradient,) = torch.autograd.grad(part("transform", name)(images, rows).sum(), images)
    assert bool(gradient.isfinite().all())
    assert bool((gradient.flatten(1).abs().sum(1) > 0).all())
