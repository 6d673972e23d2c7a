"""Takes the words `start` and `image`; gives pixels from a start, or a perturbation of the picture that was named."""

from __future__ import annotations

from collections.abc import Sequence

from synth import data
from synth.core import Encoding
from synth.data.sizes import Size, in_shape
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import STARTS, Pixels
from synth.errors import InputError, nearest


def canvas(
    start: str | None = "noise",
    image: str | None = None,
    images: str | Sequence[str] | None = None,
    size: Size = None,
    noise: float = 0.15,
    epsilon: float | None = None,
    norm: str = "linf",
    longest: int | None = None,
    grey: bool = False,
    content: str | None = None,
) -> Encoding:
    """A `Perturbation` of `image` or `images` where one is named, else `Pixels` from `start`.

    `start` may also be a picture, by path or name, which is then what is perturbed. With `longest` it has the
    shape of the picture `content`, where that is named and no `size` is.
    """
    if start is None:
        raise InputError(
            f"start=null: there is nothing to begin from; write one of {', '.join(STARTS)}, or a picture (in a style "
            "transfer content=PATH)."
        )
    if content is not None and longest is not None and image is None and images is None:
        size = (
            in_shape(*data.picture(content, "content").image.size, longest)
            if size is None
            else size
        )
        longest = None
    if image is None and images is None and start not in STARTS:
        try:
            data.picture(start, "start")
        except InputError as error:
            hint = nearest(start, STARTS)
            if not hint:
                raise
            raise InputError(f"start={start}: no such start, and no such picture.{hint}") from error
        image = start
    elif start not in STARTS:
        raise InputError(
            f"start={start}: image= or images= name what is changed already; leave one of them out."
        )
    if image is not None or images is not None:
        return Perturbation(image, images, epsilon, norm, size=size, longest=longest, grey=grey)
    if longest is not None or grey:
        raise InputError(
            "encoding: longest= and grey= keep something of a picture; write image=PATH, or encoding.longest=null "
            "encoding.grey=false and encoding.size=[HEIGHT,WIDTH]."
        )
    if epsilon is not None:
        raise InputError(
            f"encoding.epsilon={epsilon}: a radius needs a picture around which; write image=PATH."
        )
    return Pixels(size, start, noise)
