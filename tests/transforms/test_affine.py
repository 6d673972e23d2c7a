"""Affine transforms against torchvision, indexing, and images on which resampling is exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from small_worlds import rows_of
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as vision

from synth.core import Transform
from synth.errors import InputError
from synth.transforms.affine import Affine, Chain, Jitter, Rotate, Scale, chain
from synth.transforms.blur import Blur
from synth.transforms.crop import Crop, Pad

MOVES = [
    Jitter(0.2),
    Scale(0.7, 1.4),
    Rotate(25.0),
    Chain([Jitter(0.1), Rotate(10.0), Scale(0.8, 1.2)]),
]


def noise(count: int, h: int, w: int) -> Tensor:
    return torch.rand(count, 3, h, w, generator=torch.Generator().manual_seed(0))


def ramp(count: int, h: int, w: int) -> Tensor:
    """Red grows to the right, green downwards, blue along both: resampling it is exact."""
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    return torch.stack([x, y, (x + y) / 2]).expand(count, 3, h, w).contiguous()


def inner(images: Tensor, by: float = 0.3) -> Tensor:
    h, w = images.shape[-2:]
    down, right = math.ceil(by * h), math.ceil(by * w)
    return images[..., down : h - down, right : w - right]


def test_jitter_shifts_by_whole_pixels_uniformly() -> None:
    h, w, count = 20, 30, 4000
    images = noise(1, h, w)
    moved = Jitter(0.1)(images.expand(count, -1, -1, -1), rows_of(count))
    down, right = 2, 3  # a tenth of each side
    counts = np.zeros((2 * down + 1, 2 * right + 1))
    unmatched = torch.ones(count, dtype=torch.bool)
    for dy in range(-down, down + 1):
        for dx in range(-right, right + 1):
            shifted = images[..., 5 + dy : h - 5 + dy, 5 + dx : w - 5 + dx]
            same = (moved[..., 5 : h - 5, 5 : w - 5] - shifted).abs().amax((1, 2, 3)) < 1e-4
            counts[dy + down, dx + right] = int(same.sum())
            unmatched &= ~same
    assert not unmatched.any()
    assert stats.chisquare(counts.flatten()).pvalue > 0.01


def test_jitter_mirrors_the_image_at_its_border() -> None:
    images = noise(50, 10, 10)
    moved = Jitter(0.3)(images, rows_of(50))
    for image, changed in zip(images.numpy(), moved.numpy(), strict=True):
        wide = np.pad(image, ((0, 0), (3, 3), (3, 3)), mode="symmetric")
        windows = [wide[:, y : y + 10, x : x + 10] for y in range(7) for x in range(7)]
        assert min(np.abs(window - changed).max() for window in windows) < 1e-5


@pytest.mark.parametrize(("h", "w"), [(32, 32), (24, 40)])
def test_rotate_is_torchvisions(h: int, w: int) -> None:
    images, rows = noise(6, h, w), rows_of(6, "turn")
    changed = Rotate(40.0)(images, rows)
    for row, angle in enumerate(((2 * rows.uniform(1)[:, 0] - 1) * 40).tolist()):
        expected = vision.rotate(images[row], angle, InterpolationMode.BILINEAR)
        torch.testing.assert_close(inner(changed[row]), inner(expected), atol=1e-4, rtol=0)
        assert not torch.allclose(inner(changed[row]), inner(images[row]), atol=0.02)


@pytest.mark.parametrize(("h", "w"), [(32, 32), (24, 40)])
def test_scale_is_torchvisions(h: int, w: int) -> None:
    images, rows = noise(6, h, w), rows_of(6)
    changed = Scale(0.7, 1.6)(images, rows)
    factors = 0.7 + 0.9 * rows.uniform(1)[:, 0]
    for row, factor in enumerate(factors.tolist()):
        expected = vision.affine(
            images[row], 0.0, [0, 0], factor, [0.0], InterpolationMode.BILINEAR
        )
        torch.testing.assert_close(inner(changed[row]), inner(expected), atol=1e-4, rtol=0)
    slope = inner(Scale(0.7, 1.6)(ramp(6, h, w), rows)).diff(dim=3)[:, 0].mean((1, 2)) * (w - 1)
    # magnified twice, half as steep
    torch.testing.assert_close(slope, 1 / factors, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "still",
    [
        Jitter(0.0),
        Jitter(0.001),
        Scale(1.0, 1.0),
        Rotate(0.0),
        Chain(),
        chain(blur=None, move=None),
    ],
)
def test_at_its_neutral_value_a_transform_changes_nothing(still: Transform) -> None:
    torch.testing.assert_close(
        still(noise(3, 12, 17), rows_of(3)), noise(3, 12, 17), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("move", [*MOVES, Jitter(0.9), Scale(0.2, 0.3), Rotate(180.0)])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_an_image_of_one_colour_is_unchanged(move: Transform, level: float) -> None:
    flat = torch.full((8, 3, 14, 20), level)
    torch.testing.assert_close(move(flat, rows_of(8)), flat, atol=1e-6, rtol=0)


@pytest.mark.parametrize("move", MOVES)
def test_draws_depend_on_the_row_alone(move: Transform) -> None:
    images, rows = noise(1, 20, 20).expand(9, -1, -1, -1), rows_of(9)
    changed = move(images, rows)
    assert len(changed.flatten(1).round(decimals=4).unique(dim=0)) > 6
    order = torch.tensor([7, 2])
    assert torch.equal(move(images[order], rows.select(order)), changed[order])
    assert not torch.equal(move(images, rows.fold_in(1)), changed)
    assert move.stochastic


@pytest.mark.parametrize(
    "steps",
    [
        [Rotate(20.0), Scale(0.8, 1.25), Jitter(0.1)],
        [Jitter(0.15), Rotate(20.0)],
        [Scale(1.3, 1.5), Jitter(0.1), Scale(0.7, 0.8)],
    ],
)
@pytest.mark.parametrize(("h", "w"), [(48, 48), (40, 64)])
def test_a_chain_resamples_once_and_does_what_its_steps_do(
    steps: list[Affine], h: int, w: int
) -> None:
    rows, images = rows_of(8), ramp(8, h, w)
    one_by_one = images
    for place, step in enumerate(steps):
        one_by_one = step(one_by_one, rows.fold_in(place))
    torch.testing.assert_close(
        inner(Chain(steps)(images, rows), 0.4), inner(one_by_one, 0.4), atol=1e-4, rtol=0
    )
    backwards = Chain(steps[::-1])(images, rows)
    assert not torch.allclose(inner(backwards, 0.4), inner(one_by_one, 0.4), atol=1e-3)


def test_a_chain_is_sharper_than_its_steps_one_by_one() -> None:
    rows, images = rows_of(8), noise(8, 32, 32)
    steps = [Rotate(20.0), Scale(0.95, 1.05), Rotate(20.0)]
    one_by_one = images
    for place, step in enumerate(steps):
        one_by_one = step(one_by_one, rows.fold_in(place))
    assert Chain(steps)(images, rows).std() > 1.15 * one_by_one.std()


def test_a_chain_passes_sizes_on() -> None:
    rows, images = rows_of(4), ramp(4, 20, 20)
    whole = chain(
        pad=Pad(6),
        jitter=Jitter(0.1),
        rotate=None,
        crop=Crop(12),
        scale=Scale(1.0, 1.1),
        blur=Blur(0.5),
    )
    changed = whole(images, rows)
    assert changed.shape == (4, 3, 20, 20)
    by_hand = Pad(6)(images, rows.fold_in(0))
    by_hand = Jitter(0.1)(by_hand, rows.fold_in(1))
    by_hand = Scale(1.0, 1.1)(Crop(12)(by_hand, rows.fold_in(2)), rows.fold_in(3))
    torch.testing.assert_close(changed, Blur(0.5)(by_hand, rows.fold_in(4)), atol=1e-5, rtol=0)
    assert whole.stochastic
    assert not Chain([Blur(), Pad()]).stochastic
    assert not Chain().stochastic


@pytest.mark.parametrize("move", [*MOVES, Blur(1.2), Crop(4), Pad(3, 0.0)])
def test_gradients_are_the_adjoint(move: Transform) -> None:
    """Each is linear in the image: <T a, b> must be <a, T* b>, with T* from autograd."""
    rows, a = rows_of(3), noise(3, 16, 12).requires_grad_()
    changed = move(a, rows)
    b = rows_of(3, "b").normal(*changed.shape[1:])
    (back,) = torch.autograd.grad((changed * b).sum(), a)
    other = rows_of(3, "other").normal(*a.shape[1:])
    forward = (move(other, rows).double() * b).sum()
    adjoint = (other.double() * back).sum()
    assert float(forward) == pytest.approx(float(adjoint), rel=1e-4, abs=1e-3)


def test_wrong_settings_are_refused() -> None:
    for wrong in (
        lambda: Jitter(-0.1),
        lambda: Jitter(1.0),
        lambda: Scale(0.0, 1.0),
        lambda: Scale(1.2, 1.1),
    ):
        with pytest.raises(InputError, match="transform"):
            wrong()
