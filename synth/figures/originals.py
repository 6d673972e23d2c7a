"""Takes the pictures that items are made from; saves them beside what was found, to look from one to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synth import data
from synth.core import Rows
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError

FOLDER = "originals"


class Originals(Metric):
    """Saves `image`, or each of `images`, at the size of what was found, and says in each item's record which it is.

    For searches that begin from noise, where the picture stands in the objective; a perturbation saves its own.
    Of one picture there is one file, however many items there are.
    """

    def __init__(self, image: str | None = None, images: str | Sequence[str] | None = None) -> None:
        self.pictures: list[data.Picture] = []
        if images is not None:
            self.pictures = data.pictures(images)
        elif image is not None:
            self.pictures = [data.picture(image)]

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if len(self.pictures) > 1 and len(self.pictures) != len(rows):
            raise InputError(
                f"figures.originals: {len(self.pictures)} images and {len(rows)} items; one for each."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        if not self.pictures or any("original" in item for item in outcome.items):
            return {}
        size = outcome.problem.encoding.size
        assert size is not None
        files = [
            outcome.record.picture(place, picture.at(size), {}, FOLDER)
            for place, picture in enumerate(self.pictures)
        ]
        for place, item in enumerate(outcome.items):
            item["original"] = files[place if len(files) > 1 else 0]
        return {}
