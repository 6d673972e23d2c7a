"""One figure of all images of a run side by side over their targets, clean images first."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from synth import data
from synth.data.sheet import joined, sized
from synth.engine.metric import FigureMaker, Outcome
from synth.errors import InputError
from synth.record.result import Figure, Item

FOLDER = "strip"


class Strip(FigureMaker):
    """A figure of all images of a run; none of a single image.

    Where all items started from one picture, it comes first; where each had its own, each follows
    its own.

    Args:
        across: images in a row, at most; 1 or more.
        longest: pixels of the longer side of each, 32 or more: larger images are scaled down,
            smaller ones enlarged by a whole factor, so that pixels stay squares.
        most: images shown, 2 or more.

    Raises:
        InputError: for a number out of range.
    """

    def __init__(self, across: int = 6, longest: int = 256, most: int = 48) -> None:
        if across < 1 or longest < 32 or most < 2:
            raise InputError(
                f"figures.strip: across={across}, longest={longest}, most={most}; write "
                "across >= 1, longest >= 32 and most >= 2."
            )
        self.across = across
        self.longest = longest
        self.most = most

    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        items = [item for item in outcome.items if item.file]
        if len(items) < 2:
            return []
        names = outcome.problem.encoding.names
        same_original = names is not None and len(names) == 1
        same_original = same_original or len({item.original for item in items}) == 1
        parts: list[tuple[Image.Image, str]] = []
        for place, item in enumerate(items[: self.most]):
            if item.original and (place == 0 or not same_original):
                parts.append((self._scaled(outcome, item.original), "original"))
            parts.append((self._scaled(outcome, str(item.file)), _label(item)))
        image = data.from_image(joined(parts, self.across))
        file = outcome.record.picture(0, image, {}, FOLDER)
        rest = len(items) - self.most
        more = f"; {rest} more are left out" if rest > 0 else ""
        labels = ", ".join(label for _, label in parts)
        return [Figure(file, f"Side by side: {labels}{more}.")]

    def _scaled(self, outcome: Outcome, name: str) -> Image.Image:
        return sized(data.to_image(outcome.record.read_back(name)), self.longest, self.longest)


def _label(item: Item) -> str:
    """The target of an image, where it has one; else its number."""
    words = [word for word in (item.target, item.niche) if word]
    if item.facet is not None:
        words.append(str(item.facet))
    return ", ".join(words) or str(item.file).rsplit("/", 1)[-1].removesuffix(".png")
