"""Gaussian noise added to the image before the network reads it."""

from __future__ import annotations

from synth.core import Images, Rows, Transform
from synth.errors import InputError


class Noise(Transform):
    """Independent Gaussian noise on every value, different for each row, then clipping to [0, 1].

    Structure that depends on the exact values of single pixels does not survive it.

    Args:
        sd: standard deviation, in pixel values of [0, 1]; 0 or more.

    Raises:
        InputError: for a negative standard deviation.
    """

    def __init__(self, sd: float = 0.08) -> None:
        if sd < 0:
            raise InputError(f"transform.noise.sd={sd}: a standard deviation is at least 0.")
        self.sd = sd

    def __call__(self, images: Images, rows: Rows) -> Images:
        return (images + self.sd * rows.normal(*images.shape[1:])).clamp(0, 1)
