"""Image sizes as a user writes them (one number, a pair, or nothing), as (height, width)."""

from __future__ import annotations

from collections.abc import Sequence

from synth.errors import InputError

Size = int | Sequence[int] | None


def size_of(size: Size, word: str = "encoding.size") -> tuple[int, int] | None:
    """(height, width) in pixels, or None where no size is given.

    Args:
        size: a side, or [height, width], from 8 to 8192.
        word: the user's key for it, for the error message.

    Raises:
        InputError: another number of sides, or a side out of range.
    """
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(8 <= side <= 8192 for side in pair):
        raise InputError(
            f"{word}={size}: write one number, or [height, width], from 8 to 8192 pixels."
        )
    return pair[0], pair[1]


def in_shape(width: int, height: int, longest: int) -> tuple[int, int] | None:
    """(height, width) of an image of that aspect ratio whose longer side is `longest` pixels.

    Raises:
        InputError: `longest` is not from 8 to 8192.
    """
    if not 8 <= longest <= 8192:
        raise InputError(
            f"encoding.longest={longest}: write the pixels of the longer side, from 8 to 8192."
        )
    return size_of([max(8, round(side * longest / max(width, height))) for side in (height, width)])
