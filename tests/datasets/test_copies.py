"""Copies of pictures, against a comparison of all pairs."""

from __future__ import annotations

import numpy as np
from PIL import Image

from synth.datasets.copies import (
    MOST_BITS,
    MOST_LEVELS,
    NO_COPY,
    SIGNATURE,
    exact_copies,
    near_copies,
    pixels_digest,
    signature,
)


def test_near_copies_are_those_of_all_pairs() -> None:
    draws = np.random.default_rng(0)
    images = []
    for _ in range(60):
        coarse = Image.fromarray(draws.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        base = np.asarray(coarse.resize((24, 24), Image.Resampling.BICUBIC)).astype(float)
        for strength in (0, 2, 12):
            noise = strength * draws.normal(size=base.shape)
            images.append(Image.fromarray((base + noise).clip(0, 255).astype(np.uint8)))
    images += [Image.new("RGB", (24, 24), (value, 90, 0)) for value in (0, 3, 120)]
    images += [images[0].copy(), images[0].convert("RGBA")]
    rows = np.array([signature(image, pixels_digest(image)) for image in images], SIGNATURE)
    exact = exact_copies(rows)
    assert exact[-2:].tolist() == [0, 0]
    assert (exact[:-2] == NO_COPY).all()
    near = near_copies(rows)
    for second in range(len(images)):
        firsts = [first for first in range(second) if _is_near(rows[first], rows[second])]
        expected = NO_COPY if exact[second] != NO_COPY or not firsts else firsts[0]
        assert near[second] == expected
    assert (near >= 0).sum() > 30


def _is_near(first: np.void, second: np.void) -> bool:
    bits = int(first["bits"]) ^ int(second["bits"])
    levels = np.abs(first["colours"].astype(int) - second["colours"].astype(int)).mean()
    return bits.bit_count() <= MOST_BITS and levels <= MOST_LEVELS


def test_the_size_of_a_picture_is_part_of_it() -> None:
    flat = Image.new("RGB", (4, 6))
    assert pixels_digest(flat) != pixels_digest(flat.resize((6, 4)))
