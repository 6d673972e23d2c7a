"""Regularisers of gradient ascent: L2 decay, Gaussian blur, and clipping of pixels.

They act between the steps of an ascent and make its images more interpretable (Yosinski et al.,
"Understanding Neural Networks Through Deep Visualization", 2015). Decay and clipping pull towards
zero in the paper, whose images are mean-subtracted; here they pull towards the encoding's baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import Genome, Part
from synth.data.blur import gaussian_blur
from synth.errors import InputError


@dataclass(frozen=True)
class Regularisers(Part):
    """The five regularisers of Yosinski et al. 2015, each off at its default.

    Decay works on genomes of any shape, the others on genomes of pixels, [r, c, h, w]. All of them
    act on the difference from the encoding's baseline.

    Args:
        decay: L2 decay, the share in [0, 1) of each number's difference from the baseline that is
            lost in a step.
        blur_every: a Gaussian blur every so many steps; 0 for none.
        blur_sigma: standard deviation of the blur in pixels, above 0.
        clip_pixels: percentage in [0, 100) of the pixels, those of the smallest norm over colours,
            that are set to the baseline.
        clip_gradients: the same for the pixels whose gradient has the smallest norm over colours.
        clip_contributions: the same for the pixels that contribute least to the score, to first
            order: |sum over colours of gradient times difference from the baseline|, the loss of
            score if the pixel alone were set to the baseline.

    Raises:
        InputError: for numbers out of range.
    """

    decay: float = 0.0
    blur_every: int = 0
    blur_sigma: float = 1.0
    clip_pixels: float = 0.0
    clip_gradients: float = 0.0
    clip_contributions: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise InputError(f"search.regularisers.decay={self.decay}: write a share in [0, 1).")
        if self.blur_every < 0 or self.blur_sigma <= 0:
            raise InputError(
                f"search.regularisers: blur_every={self.blur_every}, blur_sigma={self.blur_sigma}; "
                "write blur_every >= 0 and blur_sigma > 0."
            )
        for word, percentage in self._clips.items():
            if not 0 <= percentage < 100:
                raise InputError(
                    f"search.regularisers.{word}={percentage}: write a percentage in [0, 100)."
                )

    @property
    def active(self) -> bool:
        """Whether any regulariser is on."""
        return bool(self.decay) or self._spatial

    @property
    def _clips(self) -> dict[str, float]:
        return {
            "clip_pixels": self.clip_pixels,
            "clip_gradients": self.clip_gradients,
            "clip_contributions": self.clip_contributions,
        }

    @property
    def _spatial(self) -> bool:
        """Whether any regulariser is on that needs pixels in their places."""
        return bool(self.blur_every) or any(self._clips.values())

    def check(self, genome: Genome, baseline: Genome | None) -> None:
        """Raise InputError where the regularisers that are on do not apply to an encoding.

        Args:
            genome: any genomes of the encoding, [r, *shape].
            baseline: its baseline; None where it has none.
        """
        if self.active and baseline is None:
            raise InputError(
                "search.regularisers: this encoding defines no baseline, so decay and clipping "
                "have nothing to pull towards; use encoding=pixels or fourier, or "
                "search/regularisers=none."
            )
        if self._spatial and genome.ndim != 4:
            raise InputError(
                "search.regularisers: they need a genome of pixels; use encoding=pixels, or "
                "search/regularisers=none."
            )

    def __call__(
        self, genome: Genome, gradient: Tensor, baseline: Genome | None, step: int
    ) -> Genome:
        """Regularised genomes.

        Args:
            genome: [r, *shape], after the step.
            gradient: [r, *shape], of the score before the step.
            baseline: broadcasts against `genome`; None where the encoding has none.
            step: the number of the step, from 0.

        Returns:
            [r, *shape].

        Raises:
            InputError: as `check` does.
        """
        self.check(genome, baseline)
        assert baseline is not None
        difference = genome - baseline
        if self.decay:
            difference = difference * (1 - self.decay)
        if self.blur_every and (step + 1) % self.blur_every == 0:
            difference = gaussian_blur(difference, self.blur_sigma)
        if self.clip_pixels:
            norms = difference.norm(dim=1, keepdim=True)
            difference = difference * _largest(norms, self.clip_pixels)
        if self.clip_gradients:
            norms = gradient.norm(dim=1, keepdim=True)
            difference = difference * _largest(norms, self.clip_gradients)
        if self.clip_contributions:
            contributions = (gradient * difference).sum(1, keepdim=True).abs()
            difference = difference * _largest(contributions, self.clip_contributions)
        return baseline + difference


def _largest(norms: Tensor, percentage: float) -> Tensor:
    """A mask [r, 1, h, w], 0 at the `percentage` of pixels of each row with the smallest norms."""
    flat = norms.flatten(1)
    clipped = int(flat.shape[1] * percentage / 100)
    if clipped == 0:
        return torch.ones_like(norms)
    threshold = flat.kthvalue(clipped, dim=1, keepdim=True).values
    return (flat > threshold).view_as(norms).to(norms.dtype)
