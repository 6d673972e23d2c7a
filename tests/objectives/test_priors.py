"""Image priors and their closed-form gradients, against plain sums and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_worlds import rows_of
from torch import Tensor

from synth.core import Objective, Readout
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives.priors import IMAGENET_MEAN, L2, AlphaNorm, TotalVariation


def score(objective: Objective, network: Network, images: Tensor) -> Tensor:
    (value,) = objective.bind(network)(Readout({}, images, rows_of(len(images)))).values()
    assert value.shape == (len(images), 1)
    return value[:, 0]


def pictures(count: int, h: int = 7, w: int = 9) -> Tensor:
    return torch.rand(count, 3, h, w, generator=torch.Generator().manual_seed(0))


def naive_variation(image: np.ndarray, beta: float) -> float:
    """Mahendran & Vedaldi's sum, pixel by pixel; no difference beyond the last row and column."""
    total, (_, h, w) = 0.0, image.shape
    for c, y, x in np.ndindex(*image.shape):
        right = image[c, y, x + 1] - image[c, y, x] if x + 1 < w else 0.0
        down = image[c, y + 1, x] - image[c, y, x] if y + 1 < h else 0.0
        total += (right**2 + down**2) ** (beta / 2)
    return -total


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_total_variation_is_the_sum_over_pixels(network: Network, beta: float) -> None:
    images = pictures(3)
    expected = [naive_variation(image, beta) for image in images.double().numpy()]
    np.testing.assert_allclose(score(TotalVariation(beta), network, images), expected, rtol=1e-4)
    flat = torch.full((1, 3, 5, 5), 0.3)
    assert abs(float(score(TotalVariation(beta), network, flat)[0])) < 0.01


def test_l2_is_the_squared_distance_to_the_mean_colour(network: Network) -> None:
    images = pictures(3)
    mean = np.array(IMAGENET_MEAN).reshape(1, 3, 1, 1)
    expected = -((images.double().numpy() - mean) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(score(L2(), network, images), expected, rtol=1e-5)
    np.testing.assert_allclose(
        score(L2(mean=(0, 0, 0)), network, images), -(images**2).sum((1, 2, 3)), rtol=1e-5
    )


@pytest.mark.parametrize(
    "objective",
    [L2((0.1, 0.5, 0.9)), TotalVariation(), TotalVariation(1.0), TotalVariation(1.5), AlphaNorm()],
)
def test_gradients_by_finite_differences(network: Network, objective: Objective) -> None:
    bound = objective.bind(network)

    def function(images: Tensor) -> Tensor:
        return next(iter(bound(Readout({}, images, rows_of(2))).values()))

    images = pictures(2, 4, 5).double().requires_grad_()
    if isinstance(objective, L2 | AlphaNorm):
        bound.mean = bound.mean.double()
    assert torch.autograd.gradcheck(function, (images,), eps=1e-7, atol=1e-5, rtol=1e-4)
    float_images = images.detach().float().requires_grad_()
    weights = torch.tensor([[2.0], [-0.5]])  # a cotangent for each row
    (single,) = torch.autograd.grad((function(float_images) * weights).sum(), float_images)
    (double,) = torch.autograd.grad((function(images) * weights).sum(), images)
    torch.testing.assert_close(single, double.float(), atol=1e-4, rtol=1e-4)


def test_the_gradient_of_squared_variation_is_twice_the_laplacian(network: Network) -> None:
    images = pictures(2).requires_grad_()
    (gradient,) = torch.autograd.grad(score(TotalVariation(), network, images).sum(), images)
    framed = np.pad(images.detach().numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    middle = framed[..., 1:-1, 1:-1]
    laplacian = (
        framed[..., 2:, 1:-1]
        + framed[..., :-2, 1:-1]
        + framed[..., 1:-1, 2:]
        + framed[..., 1:-1, :-2]
        - 4 * middle
    )
    np.testing.assert_allclose(gradient.numpy(), 2 * laplacian, atol=1e-5)


def test_several_cotangents_of_one_forward(network: Network) -> None:
    images = pictures(2).requires_grad_()
    for objective in (L2(), TotalVariation()):
        value = score(objective, network, images)
        (gradient,) = torch.autograd.grad(value.sum(), images, retain_graph=True)
        (scaled,) = torch.autograd.grad((3 * value).sum(), images)
        torch.testing.assert_close(scaled, 3 * gradient)


def test_flat_pictures_have_finite_gradients(network: Network) -> None:
    flat = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
    for beta in (1.0, 1.5, 2.0):
        (gradient,) = torch.autograd.grad(score(TotalVariation(beta), network, flat).sum(), flat)
        assert gradient.abs().max() == 0


@pytest.mark.parametrize("alpha", [1.0, 2.0, 6.0])
def test_alpha_norm_is_the_sum_of_powers(network: Network, alpha: float) -> None:
    images = pictures(3)
    difference = np.abs(images.double().numpy() - np.array(IMAGENET_MEAN).reshape(1, 3, 1, 1))
    np.testing.assert_allclose(
        score(AlphaNorm(alpha), network, images), -(difference**alpha).sum((1, 2, 3)), rtol=1e-4
    )
    assert (
        abs(
            float(
                score(AlphaNorm(alpha, (0.5, 0.5, 0.5)), network, torch.full((1, 3, 4, 4), 0.5))[0]
            )
        )
        < 1e-6
    )
    with pytest.raises(InputError, match=r"alpha=0.5: below 1"):
        AlphaNorm(0.5)


@pytest.mark.parametrize("kind", [AlphaNorm, TotalVariation])
def test_a_prior_per_pixel_is_the_sum_over_their_number(
    network: Network, kind: type[Objective]
) -> None:
    images = pictures(2)
    torch.testing.assert_close(
        score(kind(per_pixel=True), network, images),
        score(kind(), network, images) / (7 * 9),
        rtol=1e-5,
        atol=0,
    )
