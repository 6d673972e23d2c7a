"""Several images per row, each with a genome of its own in another encoding, for diversity."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Encoding, Genome, Images, Rows
from synth.core.network import Network
from synth.data.sizes import Size, size_of
from synth.errors import InputError


class SeveralImages(Encoding):
    """`count` genomes of `encoding` side by side, [r, count, *shape], decoded to r * count images.

    The images of a row are scored together, so that an objective can reward their difference
    (``objective=diversity``), and each of them is saved. Nguyen, Yosinski & Clune 2016 call such
    different answers to one question facets.

    Args:
        encoding: the inner encoding, which decodes each genome to one image.
        count: images per row, 1 or more.
        size: height and width, in place of those of `encoding`; None leaves them.

    Raises:
        InputError: for a `count` below 1, and an inner encoding of several images per genome.
    """

    def __init__(self, encoding: Encoding, count: int = 4, size: Size = None) -> None:
        if count < 1:
            raise InputError(f"encoding.count={count}: write 1 or more images.")
        if encoding.images_per_genome > 1:
            raise InputError(
                "encoding.encoding: several images need an inner encoding of one picture a genome; "
                "name another."
            )
        sides = size_of(size)
        encoding = encoding if sides is None else encoding.at(sides)
        self.encoding = encoding
        self.count = count
        self.size = encoding.size
        self.names = encoding.names
        self.differentiable = encoding.differentiable
        self.scalable = encoding.scalable
        self.stochastic = encoding.stochastic
        self.eight_bit = encoding.eight_bit
        self.images_per_genome = count
        self.bytes_per_image = encoding.bytes_per_image

    def start(self, rows: Rows) -> Genome:
        return self._grouped(self.encoding.start(rows.split(self.count)))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return self.encoding.decode(genome.flatten(0, 1), rows.split(self.count))

    def export(self, genome: Genome, rows: Rows) -> Images:
        return self.encoding.export(genome.flatten(0, 1), rows.split(self.count))

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return self._grouped(self.encoding.project(genome.flatten(0, 1), rows.split(self.count)))

    def at(self, size: tuple[int, int]) -> SeveralImages:
        return SeveralImages(self.encoding.at(size), self.count)

    def to(self, device: torch.device) -> SeveralImages:
        return SeveralImages(self.encoding.to(device), self.count)

    def bind(self, network: Network) -> SeveralImages:
        return SeveralImages(self.encoding.bind(network), self.count)

    def fast(self, dtype: torch.dtype) -> SeveralImages:
        return SeveralImages(self.encoding.fast(dtype), self.count)

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert isinstance(to, SeveralImages)
        return self._grouped(self.encoding.transfer(genome.flatten(0, 1), to.encoding))

    def picture_index(self, rows: Rows) -> Tensor:
        return self.encoding.picture_index(rows.split(self.count))

    def baseline(self, rows: Rows) -> Genome | None:
        baseline = self.encoding.baseline(rows)
        return None if baseline is None else baseline[:, None]

    def originals(self, rows: Rows) -> Images | None:
        return self.encoding.originals(rows)

    def initial_images(self, rows: Rows) -> Images | None:
        return self.encoding.initial_images(rows)

    def _grouped(self, genomes: Genome) -> Genome:
        """Genomes [r * count, *shape] as [r, count, *shape]."""
        return genomes.unflatten(0, (-1, self.count))
