"""Takes the genomes that a run found; leaves the film of a walk from each to the next and back, and a strip of it.

Between two codes of a generator there are codes too, and pictures: one class becomes the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Genome, Rows
from synth.data.animation import webp
from synth.data.sheet import joined, sized
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError

FILM, FOLDER = "walk.webp", "walk"


class Walk(Metric):
    """``walk.webp``, played `fps` frames a second over and over: `frames` from each item to the next, last to first.

    Frame k on the way from genome a to genome b is what (1 - s) a + s b decodes to, projected to the nearest legal
    genome, with s = (1 - cos(pi k / frames)) / 2: it sets out and arrives slowly, and stands for a moment where a
    search ended. The strip has a row for each way but the last, `across` pictures evenly spaced in s from end to end.
    Pictures of a longer side than `longest` pixels are scaled down, smaller ones enlarged by a whole number. Only
    genomes with something between them can be walked: those of encodings with a gradient.
    """

    def __init__(
        self, frames: int = 24, fps: float = 12.0, across: int = 8, longest: int = 256
    ) -> None:
        if frames < 2 or across < 3:
            raise InputError(
                f"figures.walk: frames={frames}, across={across}; write frames >= 2 and across >= 3."
            )
        if not 0.1 <= fps <= 60 or not 32 <= longest <= 4096:
            raise InputError(
                f"figures.walk: fps={fps}, longest={longest}; write 0.1 <= fps <= 60 and 32 <= longest <= 4096."
            )
        self.frames, self.fps, self.across, self.longest = frames, fps, across, longest

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        encoding = problem.encoding
        if len(rows) < 2:
            raise InputError("figures.walk: it leads from one item to the next, and there is one; name several, "
                             "target=[goldfish,lemon].")  # fmt: skip
        if not encoding.differentiable or encoding.images_per_genome > 1:
            raise InputError("figures.walk: between genomes of this encoding there are none, or each is several "
                             "pictures; use encoding=generator.")  # fmt: skip
        if len(encoding.names or ()) > 1 and encoding.originals(rows) is not None:
            raise InputError("figures.walk: several pictures are changed, each alone, so nothing leads from one to "
                             "the next; name one picture, or use encoding=generator.")  # fmt: skip

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        record = outcome.record
        names = [str(item.get("target") or place) for place, item in enumerate(outcome.items)]
        count = len(names) * self.frames
        record.keep(FILM, webp(self._film(outcome), [round(1000 / self.fps)] * count))
        strip = record.picture(
            0, data.from_image(joined(self._strip(outcome, names), self.across)), {}, FOLDER
        )
        way = ", ".join([*names, names[0]])
        return {
            "figures": [
                {"file": FILM, "caption": f"{count} frames, {count / self.fps:.3g} s: {way}."},
                {"file": strip, "caption": f"The walk, evenly spaced: {', '.join(names)}."},
            ]
        }

    def _film(self, outcome: Outcome) -> Iterator[Image.Image]:
        """The frames from each item to the next and from the last to the first, which is not shown twice."""
        eased = torch.tensor(
            [(1 - math.cos(math.pi * k / self.frames)) / 2 for k in range(self.frames)]
        )
        count = len(outcome.rows)
        for first in range(count):
            yield from self._shown(outcome, first, (first + 1) % count, eased)

    def _strip(self, outcome: Outcome, names: list[str]) -> list[tuple[Image.Image, str]]:
        """Pictures and what stands below them: the names at both ends of each row."""
        parts = []
        for first in range(len(names) - 1):
            shown = self._shown(outcome, first, first + 1, torch.linspace(0, 1, self.across))
            words = [names[first], *[""] * (self.across - 2), names[first + 1]]
            parts += list(zip(shown, words, strict=True))
        return parts

    def _shown(
        self, outcome: Outcome, first: int, second: int, shares: Tensor
    ) -> Iterator[Image.Image]:
        """The pictures at `shares` of the way from item `first` to item `second`."""
        problem, genome = outcome.problem, outcome.course.genome
        rows = outcome.rows.select(slice(first, first + 1)).repeat(len(shares))
        codes = problem.project(
            between(genome[first], genome[second], shares.to(genome.device)), rows
        )
        for image in problem.images(codes, rows):
            yield sized(data.to_image(image), self.longest, self.longest)


def between(one: Genome, other: Genome, shares: Tensor) -> Genome:
    """(1 - s) `one` + s `other`, [n, *shape], for each of the `shares` [n]: at 0 and at 1 the ends, bit for bit."""
    shares = shares.view(-1, *[1] * one.ndim)
    return (1 - shares) * one + shares * other
