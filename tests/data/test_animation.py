"""WEBP animations equal Pillow's own, with one frame in memory at a time."""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synth.data.animation import MOST_LOOPS, animation, webp


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


# a GIF states how often it is repeated, the others how often it is played; 0 is for ever
LOOPS = {
    "gif": {None: 1, 0: 0, 1: 2, 4: 5, 65_535: 65_535},
    "webp": {None: 0, 0: 0, 1: 1, 5: 5},
    "png": {None: 0, 0: 0, 1: 1, 5: 5, 100_000: 65_535},
}


@pytest.mark.parametrize(
    ("kind", "stated", "played"),
    [(kind, stated, played) for kind, loops in LOOPS.items() for stated, played in loops.items()],
)
def test_a_film_is_played_as_often_as_the_file_states(
    kind: str, stated: int | None, played: int, tmp_path: Path
) -> None:
    first, *rest = frames(3)
    options = {} if stated is None else {"loop": stated}
    first.save(tmp_path / f"film.{kind}", save_all=True, append_images=rest, duration=50, **options)
    film = animation(tmp_path / f"film.{kind}")
    assert film is not None
    assert (film.count, film.loop) == (3, played)
    copy = webp((image for image, _ in film.frames()), [50] * 3, film.loop)
    assert int.from_bytes(copy[copy.index(b"ANIM") + 12 :][:2], "little") == played


@pytest.mark.parametrize("loop", [0, 1, MOST_LOOPS])
def test_a_film_states_how_often_it_is_played(loop: int, tmp_path: Path) -> None:
    (tmp_path / "film.webp").write_bytes(webp(frames(2), [50, 50], loop))
    with Image.open(tmp_path / "film.webp") as film:
        assert film.info["loop"] == loop
