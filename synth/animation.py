"""Takes an animated file (GIF, WEBP, PNG); gives its frames and how long each is shown, and writes such files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from synth import data
from synth.errors import InputError

FORMATS = ("GIF", "WEBP", "PNG")  # a file with several pictures in another format is no film: a stack, two eyes
USUAL = 100  # milliseconds of a frame that does not say, which is what browsers take
QUALITY = 90


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


def webp(frames: Sequence[Path], durations: Sequence[int], loop: int = 0) -> bytes:
    """A WEBP film of the pictures `frames`, each shown for so many milliseconds."""
    opened = [Image.open(path) for path in frames]
    try:
        buffer = io.BytesIO()
        opened[0].save(buffer, "WEBP", save_all=True, append_images=opened[1:], duration=list(durations), loop=loop,
                       quality=QUALITY, method=4)  # fmt: skip
        return buffer.getvalue()
    finally:
        for image in opened:
            image.close()
