"""RISE: the mean of random masks, each weighted by the score of the picture under it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from synth.core.randomness import fold_in, key_of, uniform
from synth.core.types import Images
from synth.errors import InputError
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.score import Score


class Rise(Attribution):
    """Random masks, in which a coarse grid of cells is on or off, shifted and smoothly enlarged.

    All pictures are seen under the same masks. What is masked takes the network's mean colour, as
    in the authors' code.

    Source: Petsiuk, Das & Saenko 2018, "RISE: randomized input sampling for explanation". The
    masks are divided by the share that is on, as there.

    Args:
        masks: how many.
        cells: of the grid, along a side.
        share: of cells that are on.
        seed: of the masks.
    """

    view = "overlay"
    takes_gradient = False
    signed = True

    def __init__(
        self, masks: int = 1000, cells: int = 7, share: float = 0.5, seed: int = 0
    ) -> None:
        if masks < 1 or cells < 2 or not 0 < share < 1:
            raise InputError(
                f"masks={masks}, cells={cells}, share={share}: write masks >= 1, cells >= 2 and a "
                "share between 0 and 1."
            )
        self.count = masks
        self.cells = cells
        self.share = share
        self.seed = seed

    @torch.inference_mode()
    def __call__(self, score: Score, images: Images, neurons: Tensor, keys: Tensor) -> Tensor:
        size = (images.shape[2], images.shape[3])
        mean = score.network.mean
        total = torch.zeros(len(images), *size, device=images.device)
        each = max(1, score.rows // len(images))  # masks at a time
        for first in range(0, self.count, each):
            masks = self.masks(first, min(each, self.count - first), size, images.device)
            covered = torch.lerp(mean, images[:, None], masks[None, :, None])
            scores = torch.cat(
                [
                    score(part, own)
                    for part, own in zip(
                        covered.flatten(0, 1).split(score.rows),
                        neurons.repeat_interleave(len(masks)).split(score.rows),
                        strict=True,
                    )
                ]
            )
            total += torch.einsum("nm,mhw->nhw", scores.view(len(images), -1), masks)
        return total[:, None] / (self.count * self.share)

    def masks(self, first: int, count: int, size: tuple[int, int], device: torch.device) -> Tensor:
        """The masks from number `first` on, float32 [count, h, w] in [0, 1]."""
        numbers = torch.arange(first, first + count, device=device)
        keys = fold_in(torch.full_like(numbers, key_of("rise", self.seed)), numbers)
        draws = uniform(keys, self.cells**2 + 2)
        grid = (draws[:, 2:] < self.share).float().view(-1, 1, self.cells, self.cells)
        cell = [-(-side // self.cells) for side in size]
        large = [side + part for side, part in zip(size, cell, strict=True)]
        smooth = functional.interpolate(grid, large, mode="bilinear", align_corners=False)[:, 0]
        rows, columns = (
            (draws[:, axis : axis + 1] * cell[axis]).long()
            + torch.arange(size[axis], device=device)
            for axis in (0, 1)
        )
        return smooth[
            torch.arange(count, device=device)[:, None, None], rows[:, :, None], columns[:, None]
        ]
