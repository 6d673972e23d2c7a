"""Contract of every transform in ``conf/transform``: range, no dark border, draws, gradients.

Nothing here names a transform: what one needs in a test stands in its YAML, ``# test: ...``.
"""

from __future__ import annotations

import torch

from synth.contract.cases import for_each
from synth.contract.parts import part
from synth.contract.worlds import rows_of
from synth.core import Transform

COUNT = 5


def _transform(name: str) -> Transform:
    transform = part("transform", name)
    assert isinstance(transform, Transform)
    return transform


@for_each(name="transform")
def test_images_stay_in_range_and_get_no_dark_border(name: str) -> None:
    transform = _transform(name)
    rows = rows_of(COUNT, "contract")
    for size in ((40, 40), (33, 48)):
        images = transform(rows.uniform(3, *size), rows)
        assert images.shape[:2] == (COUNT, 3)
        assert min(images.shape[2:]) >= 8
        assert bool(images.isfinite().all())
        assert -1e-5 <= float(images.min()) <= float(images.max()) <= 1 + 1e-5
        white = transform(torch.ones(COUNT, 3, *size), rows)
        assert float(white.min()) > 0.4, "a dark border is what an optimiser exploits"


@for_each(name="transform")
def test_random_numbers_come_from_the_rows(name: str) -> None:
    transform = _transform(name)
    rows = rows_of(COUNT, "contract")
    images = rows.uniform(3, 40, 40)
    changed = transform(images, rows)
    assert torch.equal(transform(images, rows), changed)
    index = torch.tensor([3, 1])
    torch.testing.assert_close(
        transform(images[index], rows.select(index)), changed[index], rtol=0, atol=1e-6
    )


@for_each(name="transform")
def test_stochastic_is_whether_a_fold_changes_the_images(name: str) -> None:
    transform = _transform(name)
    rows = rows_of(COUNT, "contract")
    images = rows.uniform(3, 40, 40)[:1].expand(COUNT, -1, -1, -1)
    first, second = (transform(images, rows.fold_in(step)) for step in (1, 2))
    assert torch.equal(first, second) != transform.stochastic


@for_each(name="transform")
def test_gradients_reach_every_image(name: str) -> None:
    rows = rows_of(COUNT, "contract")
    images = rows.uniform(3, 40, 40).requires_grad_()
    (gradient,) = torch.autograd.grad(_transform(name)(images, rows).sum(), images)
    assert bool(gradient.isfinite().all())
    assert bool((gradient.flatten(1).abs().sum(1) > 0).all())
