"""Takes an animated file (GIF, WEBP, PNG); gives its frames and how long each is shown, and writes such files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from synth import data
from synth.errors import InputError

FORMATS = (
    "GIF",
    "WEBP",
    "PNG",
)  # a file with several pictures in another format is no film: a stack, two eyes
USUAL = 100  # milliseconds of a frame that does not say, which is what browsers take
QUALITY = 85  # of the frames of a film, which is to be looked at; who keeps them keeps them as PNG


@dataclass(frozen=True)
class Animation:
    """The film in the file `path`: `count` frames, played `loop` times (0: for ever)."""

    path: Path
    count: int
    loop: int

    def frames(self, first: int = 0) -> Iterator[tuple[Image.Image, int]]:
        """The frames from `first` on, as RGB on white, and the milliseconds each is shown.

        Raises:
            InputError: where the file breaks off.
        """
        with Image.open(self.path) as film:
            for number in range(first, self.count):
                try:
                    film.seek(number)
                    film.load()
                except (OSError, EOFError, SyntaxError, ValueError) as error:
                    raise InputError(
                        f"image={self.path}: damaged or cut short: frame {number + 1} of {self.count} cannot be read."
                    ) from error
                yield data.rgb(film), round(film.info.get("duration") or USUAL)


def animation(path: Path) -> Animation | None:
    """The film in the file `path`; None where it is a single picture, or none that can be read."""
    try:
        with Image.open(path) as film:
            count = getattr(film, "n_frames", 1) if film.format in FORMATS else 1
            return Animation(path, count, int(film.info.get("loop", 0))) if count > 1 else None
    except (OSError, EOFError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def webp(
    frames: Iterable[Image.Image], durations: Sequence[int], loop: int = 0, quality: int = QUALITY
) -> bytes:
    """A WEBP film of `frames`, each shown for so many milliseconds, as many as there are `durations`.

    `frames` may be an iterator: one frame at a time is held, however long the film.
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


def opened(paths: Iterable[Path]) -> Iterator[Image.Image]:
    """The pictures in the files `paths`, one open at a time."""
    for path in paths:
        with Image.open(path) as image:
            image.load()
            yield image


class _Film(Image.Image):
    """`count` frames of an iterator as a picture of Pillow's that moves.

    Pillow makes a list of what is in `append_images`, and so holds it all; it is asked for a frame by `seek`.
    """

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self.n_frames, self._frames, self._at = count, frames, -1
        self.seek(0)

    def seek(self, frame: int) -> None:
        while (
            self._at < frame
        ):  # back to the first, where Pillow goes in the end, there is no way, and no need of one
            image = next(self._frames)
            self.im, self._mode, self._size = image.im, image.mode, image.size
            self._at += 1

    def tell(self) -> int:
        return self._at
