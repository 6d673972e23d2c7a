"""Colour transfer, against means and covariances measured by numpy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from synth.objectives._colours import in_colours_of, in_luminance_of, luminance


def picture(seed: int, centre: float) -> Tensor:
    """Correlated colours well inside the box, so that nothing is clipped."""
    draws = torch.Generator().manual_seed(seed)
    mixing = torch.randn(3, 3, generator=draws) * 0.1
    noise = torch.rand(3, 600, generator=draws) - 0.5
    return (mixing @ noise + centre).view(1, 3, 20, 30)


def test_mean_and_covariance_are_those_of_the_other() -> None:
    result = in_colours_of(picture(0, 0.4), picture(1, 0.6))[0].flatten(1).double().numpy()
    other = picture(1, 0.6)[0].flatten(1).double().numpy()
    np.testing.assert_allclose(result.mean(1), other.mean(1), atol=1e-4)
    np.testing.assert_allclose(np.cov(result), np.cov(other), atol=2e-4)


def test_a_picture_keeps_its_own_colours() -> None:
    torch.testing.assert_close(
        in_colours_of(picture(0, 0.4), picture(0, 0.4)), picture(0, 0.4), atol=1e-3, rtol=0
    )


def test_grey_pictures_stay_finite() -> None:
    grey = torch.full((1, 3, 8, 8), 0.5)
    for result in (in_colours_of(grey, picture(0, 0.4)), in_luminance_of(grey, picture(0, 0.4))):
        assert result.isfinite().all()
        assert 0 <= float(result.min()) <= float(result.max()) <= 1


def test_luminance_has_the_mean_and_deviation_of_the_other() -> None:
    result, other = in_luminance_of(picture(0, 0.4), picture(1, 0.6)), luminance(picture(1, 0.6))
    torch.testing.assert_close(result[:, 0], result[:, 2])
    np.testing.assert_allclose(float(result[:, 0].mean()), float(other.mean()), rtol=1e-4)
    np.testing.assert_allclose(float(result[:, 0].std()), float(other.std()), rtol=1e-3)
    white = torch.ones(1, 3, 2, 2)
    torch.testing.assert_close(luminance(white), white[:, :1])
