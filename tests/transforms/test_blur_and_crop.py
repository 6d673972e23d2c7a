"""Blur against SciPy's Gaussian, crops against slices, padding against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from small_worlds import rows_of

from synth.data.blur import gaussian_blur
from synth.errors import InputError
from synth.transforms.blur import Blur
from synth.transforms.crop import Crop, Pad


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 2.3])
@pytest.mark.parametrize(("h", "w"), [(20, 20), (17, 24)])
def test_blur_is_scipys(sigma: float, h: int, w: int) -> None:
    images = torch.rand(2, 3, h, w, generator=torch.Generator().manual_seed(0))
    reach = max(1, int(np.ceil(3 * sigma)))
    expected = ndimage.gaussian_filter(
        images.double().numpy(), (0, 0, sigma, sigma), mode="mirror", radius=(0, 0, reach, reach)
    )
    np.testing.assert_allclose(Blur(sigma)(images, rows_of(2)).numpy(), expected, atol=1e-5)


def test_blur_is_a_convolution_with_the_gaussian() -> None:
    """An impulse becomes the Gaussian itself, for any number of channels."""
    point = torch.zeros(1, 5, 21, 21)
    point[:, 2, 10, 10] = 1
    places = np.arange(-10, 11)
    bell = np.exp(-(places**2) / (2 * 1.5**2)) * (np.abs(places) <= 5)
    bell /= bell.sum()
    changed = gaussian_blur(point, 1.5)[0]
    np.testing.assert_allclose(changed[2].numpy(), np.outer(bell, bell), atol=1e-7)
    assert changed[[0, 1, 3, 4]].abs().max() == 0


def test_blur_of_one_colour_and_of_a_small_image() -> None:
    flat = torch.full((1, 3, 8, 8), 0.7)
    torch.testing.assert_close(Blur(9.0)(flat, rows_of(1)), flat)
    assert not Blur().stochastic
    with pytest.raises(InputError, match=r"transform\.blur\.sigma=0"):
        Blur(0.0)


def test_crop_is_a_slice_at_a_uniform_position() -> None:
    count, margin = 3000, 4
    image = torch.arange(3 * 12 * 10, dtype=torch.float32).view(1, 3, 12, 10) / 360
    changed = Crop(margin)(image.expand(count, -1, -1, -1), rows_of(count))
    assert changed.shape == (count, 3, 8, 6)
    counts = np.zeros((margin + 1, margin + 1))
    for y in range(margin + 1):
        for x in range(margin + 1):
            counts[y, x] = int(
                (changed == image[..., y : y + 8, x : x + 6]).flatten(1).all(1).sum()
            )
    assert counts.sum() == count
    assert stats.chisquare(counts.flatten()).pvalue > 0.01
    assert torch.equal(Crop(0)(image, rows_of(1)), image)
    order = torch.tensor([5, 1])
    assert torch.equal(
        Crop(margin)(image.expand(2, -1, -1, -1), rows_of(count).select(order)), changed[order]
    )


def test_pad_is_numpys() -> None:
    images = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), constant_values=0.25)
    assert np.array_equal(Pad(3, 0.25)(images, rows_of(2)).numpy(), expected)
    assert torch.equal(Pad(0)(images, rows_of(2)), images)
    assert not Pad().stochastic
    assert torch.equal(Crop(0)(Pad(2)(images, rows_of(2)), rows_of(2))[..., 2:-2, 2:-2], images)


def test_wrong_settings_are_refused() -> None:
    for wrong in (lambda: Crop(-1), lambda: Pad(-1), lambda: Pad(1, 1.5)):
        with pytest.raises(InputError, match="transform"):
            wrong()


def test_a_crop_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"transform\.margin=12: leaves nothing of pictures of 12x16"
    ):
        Crop(12)(torch.zeros(1, 3, 12, 16), rows_of(1))
