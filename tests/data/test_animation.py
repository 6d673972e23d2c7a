"""WEBP animations equal Pillow's own, with one frame in memory at a time."""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synth.data.animation import opened, webp


def frames(count: int) -> list[Image.Image]:
    noise = np.random.default_rng(3).integers(0, 256, (count, 12, 18, 3), dtype=np.uint8)
    return [Image.fromarray(frame) for frame in noise]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_film_is_pillows_byte_for_byte(count: int) -> None:
    first, *rest = frames(count)
    durations = [40 + 10 * place for place in range(count)]
    expected = io.BytesIO()
    first.save(
        expected,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=durations,
        loop=3,
        quality=70,
        method=4,
    )
    assert webp(iter(frames(count)), durations, 3, 70) == expected.getvalue()


def test_a_film_holds_one_frame_at_a_time() -> None:
    alive: list[weakref.ref[Image.Image]] = []
    most = 0

    def one_by_one() -> Iterator[Image.Image]:
        nonlocal most
        for place in range(30):
            image = Image.new("RGB", (16, 16), (8 * place, 0, 0))
            alive.append(weakref.ref(image))
            most = max(most, sum(ref() is not None for ref in alive))
            yield image

    assert webp(one_by_one(), [50] * 30)
    assert most <= 2, "the one that is shown, and the one that comes"


def test_one_file_is_open_at_a_time(tmp_path: Path) -> None:
    paths = [tmp_path / f"{place}.png" for place in range(5)]
    for path, frame in zip(paths, frames(5), strict=True):
        frame.save(path)
    before = None
    for image, frame in zip(opened(paths), frames(5), strict=True):
        assert np.array_equal(np.asarray(image), np.asarray(frame))
        assert before is None or before.fp is None or before.fp.closed
        before = image
