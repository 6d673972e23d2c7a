"""Gaussian blur of images before the network reads them."""

from __future__ import annotations

from synth.core import Images, Rows, Transform
from synth.data.blur import gaussian_blur
from synth.errors import InputError


class Blur(Transform):
    """A Gaussian blur, the same for every row, so that high frequencies cannot raise the score.

    Args:
        sigma: standard deviation in pixels, above 0.

    Raises:
        InputError: where `sigma` is not above 0.
    """

    stochastic = False

    def __init__(self, sigma: float = 0.5) -> None:
        if sigma <= 0:
            raise InputError(f"transform.blur.sigma={sigma}: write a radius above 0 pixels.")
        self.sigma = sigma

    def __call__(self, images: Images, rows: Rows) -> Images:
        return gaussian_blur(images, self.sigma)
