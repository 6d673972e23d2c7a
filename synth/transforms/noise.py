"""Noise over the picture before the network sees it: what depends on single values does not outlive it."""

from __future__ import annotations

from synth.core import Images, Rows, Transform
from synth.errors import InputError


class Noise(Transform):
    """Normal numbers of deviation `sd` added to every value, each row its own, the sum kept in [0, 1]."""

    def __init__(self, sd: float = 0.08) -> None:
        if sd < 0:
            raise InputError(f"transform.noise.sd={sd}: a standard deviation is at least 0.")
        self.sd = sd

    def __call__(self, images: Images, rows: Rows) -> Images:
        return (images + self.sd * rows.normal(*images.shape[1:])).clamp(0, 1)
