"""Takes the words `start` and `image`; gives pixels from a start, or a perturbation of the picture that was named."""

from __future__ import annotations

from collections.abc import Sequence

from synth.core import Encoding
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.encodings.sizes import Size
from synth.errors import InputError


def canvas(
    start: str = "noise",
    image: str | None = None,
    images: str | Sequence[str] | None = None,
    size: Size = None,
    noise: float = 0.15,
    epsilon: float | None = None,
    norm: str = "linf",
) -> Encoding:
    """A `Perturbation` of `image` or `images` where one is named, else `Pixels` from `start`."""
    if image is not None or images is not None:
        return Perturbation(image, images, epsilon, norm, size=size)
    if epsilon is not None:
        raise InputError(f"encoding.epsilon={epsilon}: a radius needs a picture around which; write image=PATH.")
    return Pixels(size, start, noise)
