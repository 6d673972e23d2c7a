"""Universal adversarial perturbations: the genome, [r, 3, h, w], is added to many images."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.core.randomness import coins
from synth.data.sizes import Size, size_of
from synth.data.split import HeldOutSplit, Split
from synth.encodings._ball import STARTS, Ball
from synth.errors import InputError

# random streams of their own: which images are drawn, which are mirrored, which part is cropped
DRAW = 11
MIRROR = 12
CROP = 13


class Universal(Encoding):
    """`batch` training images, each plus the same perturbation, clamped to [0, 1].

    Moosavi-Dezfooli et al. 2017: one perturbation of bounded norm that changes the network's
    prediction for most images, also for those it was not computed from.

    A row draws its images from its own key, without replacement, so each step of a search uses
    another minibatch, and the score of a row is the mean over it (Shafahi et al. 2020, "Universal
    adversarial training"). Mirroring and cropping are a departure from that paper, without which a
    few hundred images are overfitted. With neither, a `batch` of all images leaves nothing to
    chance. What is saved of a genome is the perturbation itself, amplified around mid grey. Zero is
    the baseline.

    Args:
        images: the images: a folder, a glob or a list.
        holdout: how many of them are held out, never drawn, for the metrics; below 1 their share.
        seed: chooses which of them are held out.
        epsilon: radius of the ball, pixels in [0, 1]; in the L-infinity norm rounded down to whole
            levels of 1/255.
        norm: ``linf`` or ``l2``.
        batch: images drawn per row and step, 1 or more.
        start: ``zeros``, ``random``, ``signs`` or ``stripes``; see `Ball.start`.
        mirror: whether half of the drawn images are mirrored.
        crop: share of the side, from 0 to below 1, by which a random crop of each drawn image may
            be smaller; it is scaled back to the full size.
        size: height and width; those that the network reads where None.

    Raises:
        InputError: for an impossible radius, norm, start, batch or crop, and where there are fewer
            training images than `batch`.
    """

    def __init__(
        self,
        images: data.Sources | None = None,
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
        self.ball = Ball(epsilon, norm)
        self.kind = start
        self.mirror = mirror
        self.crop = crop
        self.epsilon = self.ball.epsilon
        self.norm = norm
        self.pictures = HeldOutSplit(images, holdout, seed)
        self.images_per_genome = batch
        self.size = size_of(size)
        self._load(torch.device("cpu"))

    def start(self, rows: Rows) -> Genome:
        return self.ball.start(self.kind, rows, (3, *self.train.shape[2:]))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        pictures = self.train[self.picture_index(rows)].float().div_(255.0)
        flips = None
        if self.mirror:
            flips = coins(rows.fold_in(MIRROR).key, self.images_per_genome).flatten()
        if self.crop:
            pictures = self._cropped(pictures, flips, rows)
        elif flips is not None:
            pictures = torch.where(flips.view(-1, 1, 1, 1), pictures.flip(3), pictures)
        return (pictures.unflatten(0, (len(rows), -1)) + genome[:, None]).clamp(0, 1).flatten(0, 1)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return self.ball.project(genome)

    def picture_index(self, rows: Rows) -> Tensor:
        count = len(self.train)
        if self.images_per_genome == count:
            return torch.arange(count, device=self.train.device).repeat(len(rows))
        # the positions of the largest of `count` random numbers are a draw without replacement
        draws = rows.fold_in(DRAW).uniform(count)
        return draws.topk(self.images_per_genome, 1).indices.flatten()

    def export(self, genome: Genome, rows: Rows) -> Images:
        return (0.5 + self.levels(genome) * self.amplified(genome).view(-1, 1, 1, 1)).clamp(0, 1)

    def levels(self, genome: Genome) -> Genome:
        """`genome` in whole levels of 1/255: what it changes 8-bit images by, rounded to 8 bits."""
        return (genome * 255.0).round() / 255.0

    def amplified(self, genome: Genome) -> Tensor:
        """The factor by which `export` amplifies each perturbation, [r]: to a maximum of 1/2."""
        return 0.5 / self.levels(genome).flatten(1).abs().amax(1).clamp_min(1 / 255)

    def split(self, size: tuple[int, int]) -> Split:
        """The training and the held-out images at `size` (height, width)."""
        return self.pictures.at(size)

    def at(self, size: tuple[int, int]) -> Universal:
        other = copy.copy(self)
        other.size = size
        other._load(self.train.device)
        return other

    def to(self, device: torch.device) -> Universal:
        other = copy.copy(self)
        other.train = self.train.to(device)
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert to.size is not None
        return self.ball.project(
            functional.interpolate(genome, to.size, mode="bicubic", antialias=True)
        )

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, 1, 1, 1, device=self.train.device)

    def _cropped(self, pictures: Images, flips: Tensor | None, rows: Rows) -> Images:
        """A random crop of each picture, sides at least 1 - `crop` of the whole, at full size.

        Those of `flips` are mirrored on the way.
        """
        count, _, height, width = pictures.shape
        draws = rows.fold_in(CROP).uniform(self.images_per_genome, 3).flatten(0, 1)
        side = 1.0 - self.crop * draws[:, :1]
        across, down = (
            side * _centres(length, pictures.device) + (1.0 - side) * (2.0 * draw - 1.0)
            for length, draw in zip((width, height), draws[:, 1:].split(1, 1), strict=True)
        )
        if flips is not None:
            across = torch.where(flips[:, None], -across, across)
        grid = torch.stack(
            [
                across[:, None, :].expand(count, height, width),
                down[:, :, None].expand(count, height, width),
            ],
            dim=3,
        )
        return functional.grid_sample(
            pictures, grid, padding_mode="reflection", align_corners=False
        )

    def _load(self, device: torch.device) -> None:
        """Sets the training images `train`, uint8 [n, 3, h, w], at the encoding's size."""
        self.train = torch.zeros(0, 3, 1, 1, dtype=torch.uint8, device=device)
        if self.size is not None:
            self.train = self.split(self.size).train.to(device)
            if len(self.train) < self.images_per_genome:
                raise InputError(
                    f"encoding.batch={self.images_per_genome}: there are {len(self.train)} "
                    f"pictures to learn from; write {len(self.train)} or less, "
                    "or name more images."
                )
        self.stochastic = self.images_per_genome < len(self.train) or self.mirror or self.crop > 0


def _centres(count: int, device: torch.device) -> Tensor:
    """The centres of `count` pixels in a row that goes from -1 to 1, as `grid_sample` has it."""
    return (torch.arange(count, device=device) * 2 + 1) / count - 1
