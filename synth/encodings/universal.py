"""One perturbation for all pictures: the genome, [r, 3, h, w], is added to other pictures whenever it is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Encoding, Genome, Images, Rows
from synth.core.randomness import coins
from synth.data.sizes import Size, size_of
from synth.data.split import HeldOutSplit, Source, Split
from synth.encodings._ball import STARTS, Ball
from synth.errors import InputError

DRAW, MIRROR, CROP = (
    11,
    12,
    13,
)  # streams of their own: which pictures, which way round, what part of them


class Universal(Encoding):
    """`batch` pictures of the training part of `images`, each plus the same perturbation, cut to [0, 1].

    Moosavi-Dezfooli et al. 2017: a change of at most `epsilon` in the norm `norm` (``linf`` or ``l2``, pixels in
    [0, 1]) that changes what a network sees in most pictures, also in those it was not made from. An L-infinity radius
    is rounded down to whole levels of 255. `holdout` of the pictures (a number, or a share below 1) are never drawn;
    `seed` says which.

    A row draws its pictures from its own key, without replacement, so each step of a search sees others, and the score
    of a row is the mean over them (the minibatches of Shafahi et al. 2020, "Universal adversarial training"). `mirror`
    turns half of them round, and `crop` (a share of the side) shows a random part of each, scaled back up: a departure
    from that paper, without which a few hundred pictures are learned by heart. With neither, a `batch` of all pictures
    leaves nothing to chance. What is kept of a genome is the perturbation itself, amplified about mid grey.

    Genomes start from ``zeros``, ``random``, ``signs`` or ``stripes`` (see `Ball.start`). Raises InputError for a
    radius that is none, and where the pictures are fewer than `batch`.
    """

    def __init__(
        self,
        images: Source = None,
        holdout: float = 0,
        seed: int = 0,
        epsilon: float = 10 / 255,
        norm: str = "linf",
        batch: int = 16,
        start: str = "zeros",
        mirror: bool = True,
        crop: float = 0.0,
        size: Size = None,
    ) -> None:
        if start not in STARTS:
            raise InputError(
                f"encoding.start={start}: a perturbation starts from {', '.join(STARTS)}."
            )
        if batch < 1:
            raise InputError(f"encoding.batch={batch}: write 1 or more pictures.")
        if not 0 <= crop < 1:
            raise InputError(f"encoding.crop={crop}: write a share of the side, from 0 to below 1.")
        self.ball, self.kind, self.mirror, self.crop = Ball(epsilon, norm), start, mirror, crop
        self.epsilon, self.norm = self.ball.epsilon, norm
        self.pictures, self.images_per_genome = HeldOutSplit(images, holdout, seed), batch
        self.size = size_of(size)
        self._place(torch.device("cpu"))

    def start(self, rows: Rows) -> Genome:
        return self.ball.start(self.kind, rows, (3, *self.train.shape[2:]))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        pictures = self.train[self.picture_index(rows)].float().div_(255.0)
        if self.mirror:
            turned = coins(rows.fold_in(MIRROR).key, self.images_per_genome).reshape(-1, 1, 1, 1)
            pictures = torch.where(turned, pictures.flip(3), pictures)
        if self.crop:
            pictures = self._cropped(pictures, rows)
        return (pictures.unflatten(0, (len(rows), -1)) + genome[:, None]).clamp(0, 1).flatten(0, 1)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return self.ball.project(genome)

    def picture_index(self, rows: Rows) -> Tensor:
        if self.images_per_genome == len(self.train):
            return torch.arange(len(self.train), device=self.train.device).repeat(len(rows))
        # the places of the largest of as many numbers as there are pictures are a draw without replacement
        return (
            rows.fold_in(DRAW)
            .uniform(len(self.train))
            .topk(self.images_per_genome, 1)
            .indices.flatten()
        )

    def export(self, genome: Genome, rows: Rows) -> Images:
        return (0.5 + self.levels(genome) * self.amplified(genome).view(-1, 1, 1, 1)).clamp(0, 1)

    def levels(self, genome: Genome) -> Genome:
        """What `genome` adds to pictures of 8 bits that are rounded to 8 bits again: whole 255ths."""
        return (genome * 255.0).round() / 255.0

    def amplified(self, genome: Genome) -> Tensor:
        """How many times stronger than it is the perturbation is shown, [r]: its largest value becomes 1/2."""
        return 0.5 / self.levels(genome).flatten(1).abs().amax(1).clamp_min(1 / 255)

    def split(self, size: tuple[int, int]) -> Split:
        """The pictures to learn from and those kept aside, at `size` (height, width)."""
        return self.pictures.at(size)

    def at(self, size: tuple[int, int]) -> Universal:
        other = self._copy(size=size)
        other._place(self.train.device)
        return other

    def to(self, device: torch.device) -> Universal:
        return self._copy(train=self.train.to(device))

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert to.size is not None
        return self.ball.project(
            functional.interpolate(genome, to.size, mode="bicubic", antialias=True)
        )

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, device=self.train.device)

    def _cropped(self, pictures: Images, rows: Rows) -> Images:
        """A random part of each picture, its sides at least 1 - `crop` of the whole, at the size of the whole."""
        drawn = rows.fold_in(CROP).uniform(self.images_per_genome, 3).flatten(0, 1)
        side = 1.0 - self.crop * drawn[:, 0]
        where = torch.zeros(len(pictures), 2, 3, device=pictures.device)
        where[:, 0, 0] = where[:, 1, 1] = side
        where[:, :, 2] = (1.0 - side)[:, None] * (2.0 * drawn[:, 1:] - 1.0)
        grid = functional.affine_grid(where, list(pictures.shape), align_corners=False)
        return functional.grid_sample(
            pictures, grid, padding_mode="reflection", align_corners=False
        )

    def _place(self, device: torch.device) -> None:
        self.train = torch.zeros(0, 3, 1, 1, dtype=torch.uint8, device=device)
        if self.size is not None:
            self.train = self.split(self.size).train.to(device)
            if len(self.train) < self.images_per_genome:
                raise InputError(
                    f"encoding.batch={self.images_per_genome}: there are {len(self.train)} pictures to learn from; "
                    f"write {len(self.train)} or less, or name more images."
                )
        self.stochastic = self.images_per_genome < len(self.train) or self.mirror or self.crop > 0

    def _copy(self, **changed: Any) -> Universal:
        other = object.__new__(Universal)
        other.__dict__.update(self.__dict__, **changed)
        return other
