"""The original pictures of the items, saved beside their images for comparison."""

from __future__ import annotations

from collections.abc import Sequence

from synth import data
from synth.core import Rows
from synth.engine.fitness import ImageProblem
from synth.engine.metric import FigureMaker, Outcome
from synth.errors import InputError
from synth.record.result import Figure

FOLDER = "originals"


class Originals(FigureMaker):
    """Saves each picture at the size of the images, and names it in the item's record.

    For searches that start from noise, whose picture belongs to the objective; a perturbation saves
    its own clean images. A single picture is one file, however many items there are.

    Args:
        image: the picture of all items.
        images: a folder, glob or list, one for each item; takes the place of `image`.

    Raises:
        InputError: where a picture cannot be read.
    """

    def __init__(
        self, image: data.Source | None = None, images: data.Sources | None = None
    ) -> None:
        self.pictures: list[data.Picture] = []
        if images is not None:
            self.pictures = data.pictures(images)
        elif image is not None:
            self.pictures = [data.picture(image)]

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if len(self.pictures) > 1 and len(self.pictures) != len(rows):
            raise InputError(
                f"figures.originals: {len(self.pictures)} images and {len(rows)} items; one for "
                "each."
            )

    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        if not self.pictures or any(item.original is not None for item in outcome.items):
            return []
        size = outcome.problem.encoding.size
        assert size is not None
        files = [
            outcome.record.picture(place, picture.at(size), {}, FOLDER)
            for place, picture in enumerate(self.pictures)
        ]
        for place, item in enumerate(outcome.items):
            item.original = files[place if len(files) > 1 else 0]
        return []
