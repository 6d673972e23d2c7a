"""Several pictures a row, each a genome of its own of another encoding: different answers to one question."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from synth.core import Encoding, Genome, Images, Rows
from synth.data.sizes import Size, size_of
from synth.errors import InputError


class SeveralImages(Encoding):
    """`count` genomes of `encoding` side by side, [r, count, *shape], each decoded to a picture: r * count in all.

    They are scored together, so that an objective can ask them to differ (``diversity``), and each is saved. `size`
    takes the place of that of `encoding`.
    """

    def __init__(self, encoding: Encoding, count: int = 4, size: Size = None) -> None:
        if count < 1:
            raise InputError(f"encoding.count={count}: write 1 or more facets.")
        if encoding.images_per_genome > 1:
            raise InputError(
                "encoding.encoding: facets need an encoding of one picture a genome; name another."
            )
        sides = size_of(size)
        encoding = encoding if sides is None else encoding.at(sides)
        self.encoding, self.count, self.size, self.names = (
            encoding,
            count,
            encoding.size,
            encoding.names,
        )
        self.differentiable, self.scalable = encoding.differentiable, encoding.scalable
        self.stochastic, self.eight_bit = encoding.stochastic, encoding.eight_bit
        self.images_per_genome, self.bytes_per_image = count, encoding.bytes_per_image

    def start(self, rows: Rows) -> Genome:
        return self._folded(self.encoding.start(rows.split(self.count)))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return self.encoding.decode(genome.flatten(0, 1), rows.split(self.count))

    def export(self, genome: Genome, rows: Rows) -> Images:
        return self.encoding.export(genome.flatten(0, 1), rows.split(self.count))

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return self._folded(self.encoding.project(genome.flatten(0, 1), rows.split(self.count)))

    def at(self, size: tuple[int, int]) -> SeveralImages:
        return SeveralImages(self.encoding.at(size), self.count)

    def to(self, device: torch.device) -> SeveralImages:
        return SeveralImages(self.encoding.to(device), self.count)

    def bind(self, network: Any) -> SeveralImages:
        return SeveralImages(self.encoding.bind(network), self.count)

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert isinstance(to, SeveralImages)
        return self._folded(self.encoding.transfer(genome.flatten(0, 1), to.encoding))

    def picture_index(self, rows: Rows) -> Tensor:
        return self.encoding.picture_index(rows.split(self.count))

    def baseline(self, rows: Rows) -> Genome | None:
        baseline = self.encoding.baseline(rows)
        return None if baseline is None else baseline[:, None]

    def originals(self, rows: Rows) -> Images | None:
        return self.encoding.originals(rows)

    def initial_images(self, rows: Rows) -> Images | None:
        return self.encoding.initial_images(rows)

    def _folded(self, genomes: Genome) -> Genome:
        return genomes.unflatten(0, (-1, self.count))
