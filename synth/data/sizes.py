"""Takes the size of a picture as a user writes it (one number, two, or nothing); gives (height, width)."""

from __future__ import annotations

from collections.abc import Sequence

from synth.errors import InputError

Size = int | Sequence[int] | None


def size_of(size: Size, word: str = "encoding.size") -> tuple[int, int] | None:
    """(height, width) in pixels, or None where nothing was said; InputError, of the key `word`, outside 8 .. 8192."""
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(8 <= side <= 8192 for side in pair):
        raise InputError(
            f"{word}={size}: write one number, or [height, width], from 8 to 8192 pixels."
        )
    return pair[0], pair[1]


def in_shape(width: int, height: int, longest: int) -> tuple[int, int] | None:
    """The size of a picture of that shape whose longer side has `longest` pixels; InputError outside 8 .. 8192."""
    if not 8 <= longest <= 8192:
        raise InputError(
            f"encoding.longest={longest}: write the pixels of the longer side, from 8 to 8192."
        )
    return size_of([max(8, round(side * longest / max(width, height))) for side in (height, width)])
