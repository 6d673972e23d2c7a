"""Latent interpolation: a film through the genomes of a run, from each item to the next.

The interpolated codes of a generator decode to images too, in which one class becomes the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Genome, Rows
from synth.data.animation import webp
from synth.data.sheet import joined, sized
from synth.engine.fitness import ImageProblem
from synth.engine.metric import FigureMaker, Outcome
from synth.errors import InputError
from synth.record.result import Figure

FILM, FOLDER = "walk.webp", "walk"


class Walk(FigureMaker):
    """``walk.webp``: interpolation from each item to the next, and from the last to the first.

    Frame k from genome a to genome b is the image of (1 - s) a + s b, projected to the nearest
    legal genome, with s = (1 - cos(pi k / frames)) / 2: slow near the items, where a search ended.
    The strip has a row for each pair of neighbours, evenly spaced in s. For encodings whose
    genomes can be interpolated: those with a gradient.

    Args:
        frames: from one item to the next, 2 or more.
        fps: frames a second, 0.1 to 60; the film is played in a loop.
        across: pictures in a row of the strip, 3 or more.
        longest: pixels of the longer side of a picture, 32 to 4096; larger images are scaled down,
            smaller ones enlarged by a whole factor.

    Raises:
        InputError: for a number out of range.
    """

    def __init__(
        self, frames: int = 24, fps: float = 12.0, across: int = 8, longest: int = 256
    ) -> None:
        if frames < 2 or across < 3:
            raise InputError(
                f"figures.walk: frames={frames}, across={across}; write frames >= 2 and "
                "across >= 3."
            )
        if not 0.1 <= fps <= 60 or not 32 <= longest <= 4096:
            raise InputError(
                f"figures.walk: fps={fps}, longest={longest}; write 0.1 <= fps <= 60 and "
                "32 <= longest <= 4096."
            )
        self.frames = frames
        self.fps = fps
        self.across = across
        self.longest = longest

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        encoding = problem.encoding
        if len(rows) < 2:
            raise InputError(
                "figures.walk: it leads from one item to the next, and there is one; name several, "
                "target=[goldfish,lemon]."
            )
        if not encoding.differentiable or encoding.images_per_genome > 1:
            raise InputError(
                "figures.walk: between genomes of this encoding there are none, or each is several "
                "pictures; use encoding=generator."
            )
        if len(encoding.names or ()) > 1 and encoding.originals(rows) is not None:
            raise InputError(
                "figures.walk: several pictures are changed, each alone, so nothing leads from one "
                "to the next; name one picture, or use encoding=generator."
            )

    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        record = outcome.record
        names = [item.target or str(place) for place, item in enumerate(outcome.items)]
        count = len(names) * self.frames
        record.keep(FILM, webp(self._film(outcome), [round(1000 / self.fps)] * count))
        strip = data.from_image(joined(self._strip(outcome, names), self.across))
        file = record.picture(0, strip, {}, FOLDER)
        route = ", ".join([*names, names[0]])
        return [
            Figure(FILM, f"{count} frames, {count / self.fps:.3g} s: {route}."),
            Figure(file, f"The walk, evenly spaced: {', '.join(names)}."),
        ]

    def _film(self, outcome: Outcome) -> Iterator[Image.Image]:
        """The frames from each item to the next; the last ones lead back to the first item."""
        frames = range(self.frames)
        eased = torch.tensor([(1 - math.cos(math.pi * k / self.frames)) / 2 for k in frames])
        count = len(outcome.rows)
        for first in range(count):
            yield from self._between(outcome, first, (first + 1) % count, eased)

    def _strip(self, outcome: Outcome, names: list[str]) -> list[tuple[Image.Image, str]]:
        """Pictures and their labels: the names at both ends of each row."""
        parts = []
        for first in range(len(names) - 1):
            shares = torch.linspace(0, 1, self.across)
            pictures = self._between(outcome, first, first + 1, shares)
            labels = [names[first], *[""] * (self.across - 2), names[first + 1]]
            parts += list(zip(pictures, labels, strict=True))
        return parts

    def _between(
        self, outcome: Outcome, first: int, second: int, shares: Tensor
    ) -> Iterator[Image.Image]:
        """The pictures at `shares` of the way from item `first` to item `second`."""
        problem, genome = outcome.problem, outcome.state.genome
        rows = outcome.rows.select(slice(first, first + 1)).repeat(len(shares))
        genomes = interpolate(genome[first], genome[second], shares.to(genome.device))
        for image in problem.images(problem.project(genomes, rows), rows):
            yield sized(data.to_image(image), self.longest, self.longest)


def interpolate(first: Genome, second: Genome, shares: Tensor) -> Genome:
    """(1 - s) `first` + s `second`, [n, *shape], for each s of `shares` [n]; exact at 0 and 1."""
    shares = shares.view(-1, *[1] * first.ndim)
    return (1 - shares) * first + shares * second
