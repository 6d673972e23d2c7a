"""Choice between the pixel encoding and a perturbation of a named image."""

from __future__ import annotations

from synth import data
from synth.core import Encoding
from synth.data.sizes import Size, in_shape
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import STARTS, Pixels
from synth.errors import InputError, nearest


def canvas(
    start: data.Source | None = "noise",
    image: data.Source | None = None,
    images: data.Sources | None = None,
    size: Size = None,
    noise: float = 0.15,
    epsilon: float | None = None,
    norm: str = "linf",
    longest: int | None = None,
    grey: bool = False,
    content: data.Source | None = None,
) -> Encoding:
    """A `Perturbation` of `image` or `images` where one is named, else `Pixels` from `start`.

    Args:
        start: one of the starts of `Pixels` (``noise``, which is also called ``random``, ``zeros``,
            ``mean``, ``uniform``), or an image, by path or name, which is then perturbed.
        image: the one image to perturb.
        images: several images to perturb, an item each: a folder, a glob or a list.
        size: height and width; those that the network reads where None.
        noise: standard deviation of the start ``noise``.
        epsilon: radius of the ball of perturbations, pixels in [0, 1]; None: unbounded.
        norm: norm of that radius, ``linf`` or ``l2``.
        longest: in place of `size`, pixels of the longer side, in the shape of the one image.
        grey: whether luminance alone is perturbed.
        content: the image whose shape `longest` keeps; used where no `size`, `image` or `images`
            is given.

    Raises:
        InputError: for a start that is neither a start nor an image, and for settings that
            contradict each other.
    """
    if start == "random":  # as encoding=generator calls it
        start = "noise"
    if start is None:
        raise InputError(
            f"start=null: there is nothing to begin from; write one of {', '.join(STARTS)}, "
            "or a picture (in a style transfer content=PATH)."
        )
    if content is not None and longest is not None and image is None and images is None:
        if size is None:
            size = in_shape(*data.picture(content, "content").image.size, longest)
        longest = None
    if start not in STARTS:
        image = _start_image(start, image, images)
    if image is not None or images is not None:
        return Perturbation(image, images, epsilon, norm, size=size, longest=longest, grey=grey)
    if longest is not None or grey:
        raise InputError(
            "encoding: longest= and grey= keep something of a picture; write image=PATH, "
            "or encoding.longest=null encoding.grey=false and encoding.size=[HEIGHT,WIDTH]."
        )
    if epsilon is not None:
        raise InputError(
            f"encoding.epsilon={epsilon}: a radius needs a picture around which; write image=PATH."
        )
    return Pixels(size, start, noise)


def _start_image(start: str, image: data.Source | None, images: data.Sources | None) -> str:
    """`start`, none of the STARTS, as the image to perturb; InputError if it is not one."""
    if image is not None or images is not None:
        raise InputError(
            f"start={start}: image= or images= name what is changed already; leave one of them out."
        )
    try:
        data.picture(start, "start")
    except InputError as error:
        hint = nearest(start, STARTS)
        if not hint:
            raise
        raise InputError(f"start={start}: no such start, and no such picture.{hint}") from error
    return start
