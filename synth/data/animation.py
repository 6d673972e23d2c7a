"""Animations (GIF, WEBP, PNG): reading their frames and durations, and writing WEBP."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from synth import data
from synth.errors import InputError
from synth.files import open_image

# other formats with several images in a file are no animations: a TIFF stack, a stereo pair
FORMATS = ("GIF", "WEBP", "PNG")
DURATION = 100  # milliseconds of a frame without one, as in browsers
MOST_LOOPS = 65_535  # that a WEBP can state
QUALITY = 85  # WEBP quality of the frames


@dataclass(frozen=True)
class Animation:
    """An animation in a file.

    Args:
        path: the file.
        count: the number of frames.
        loop: how often it is played; 0 means for ever.
    """

    path: Path
    count: int
    loop: int

    def frames(self, first: int = 0) -> Iterator[tuple[Image.Image, int]]:
        """The frames from number `first` on, as RGB on white, and each one's milliseconds.

        Raises:
            InputError: the file is cut short.
        """
        with open_image(self.path, f"image={self.path}") as film:
            for number in range(first, self.count):
                try:
                    film.seek(number)
                    film.load()
                except (OSError, EOFError, SyntaxError, ValueError) as error:
                    raise InputError(
                        f"image={self.path}: damaged or cut short: frame {number + 1} of "
                        f"{self.count} cannot be read."
                    ) from error
                yield data.rgb(film), round(film.info.get("duration") or DURATION)


def animation(path: Path) -> Animation | None:
    """The animation in a file; None for a still image, and for what cannot be read."""
    try:
        with open_image(path, str(path)) as film:
            # only Pillow's animated formats have n_frames
            count = getattr(film, "n_frames", 1) if film.format in FORMATS else 1
            return Animation(path, count, _loop(film)) if count > 1 else None
    except InputError:
        return None


def _loop(film: Image.Image) -> int:
    """How often `film` is played; 0 means for ever.

    A GIF states how often it is repeated after the first time, and nothing where it is not.
    """
    stated = film.info.get("loop")
    if film.format == "GIF":
        stated = 1 if stated is None else stated and stated + 1
    return min(int(stated or 0), MOST_LOOPS)


def webp(
    frames: Iterable[Image.Image], durations: Sequence[int], loop: int = 0, quality: int = QUALITY
) -> bytes:
    """An animated WEBP file.

    Args:
        frames: may be an iterator; one frame at a time is in memory.
        durations: milliseconds of each frame; there are as many frames as durations.
        loop: how often it is played, which the file states; 0 means for ever.
        quality: of the lossy compression, 0 to 100.
    """
    buffer = io.BytesIO()
    film = _Film(iter(frames), len(durations))
    film.save(
        buffer,
        "WEBP",
        save_all=True,
        duration=list(durations),
        loop=loop,
        quality=quality,
        method=4,
    )
    return buffer.getvalue()


class _Film(Image.Image):
    """An animated Pillow image over an iterator of `count` frames.

    Pillow makes a list of `append_images` and so holds all of them in memory; the frames of an
    animated image it reads one by one, by `seek`.
    """

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self.n_frames = count
        self._frames = frames
        self._at = -1
        self.seek(0)

    def seek(self, frame: int) -> None:
        # forward only; that Pillow returns to the first frame when it is done does not matter
        while self._at < frame:
            image = next(self._frames)
            self.im = image.im
            self._mode = image.mode
            self._size = image.size
            self._at += 1

    def tell(self) -> int:
        return self._at
