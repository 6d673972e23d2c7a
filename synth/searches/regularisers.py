"""Takes genomes; gives them back a little plainer: decayed, and those shaped like pictures blurred or clipped.

What Yosinski et al. ("Understanding Neural Networks Through Deep Visualization", 2015) do between the steps
of an ascent so that pictures look like something. Zero, in their mean-subtracted pictures, is here the
encoding's origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.errors import InputError
from synth.transforms.blur import gaussian_blur

CLIPS = ("clip_pixels", "clip_gradients", "clip_contributions")


@dataclass(frozen=True)
class Regularisers:
    """Five switches, each off at its default.

    `decay`: the share of each number's distance to the origin that is lost a step (L2 decay). `blur_every` and
    `blur_sigma`: a Gaussian blur of that many pixels every so many steps. `clip_pixels`: the percentage of
    pixels with the smallest norm over colours that are set to the origin. `clip_gradients`: the same for the
    pixels on whose change the score depends least. `clip_contributions`: the same for those that contribute least,
    to first order: |sum over colours of gradient times the distance to the origin|, what the score would lose were
    the pixel set to the origin.
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
        for word in CLIPS:
            if not 0 <= getattr(self, word) < 100:
                raise InputError(
                    f"search.regularisers.{word}={getattr(self, word)}: write a percentage in [0, 100)."
                )

    @property
    def active(self) -> bool:
        """Whether any switch is on."""
        return bool(self.decay) or self._spatial

    @property
    def _spatial(self) -> bool:
        """Whether any switch is on that looks at places and their neighbours."""
        return bool(self.blur_every) or any(getattr(self, word) for word in CLIPS)

    def __call__(
        self, genome: Tensor, gradient: Tensor, baseline: Tensor | None, step: int
    ) -> Tensor:
        """`genome` after a step whose gradient was `gradient`; `baseline` broadcasts against it.

        Decay works on genomes of any shape, the others on those of pixels, [r, c, h, w].
        """
        if baseline is None:
            raise InputError(
                "search.regularisers: this encoding defines no baseline, so decay and clipping have "
                "nothing to pull towards; use encoding=pixels or fourier, or search/regularisers=none."
            )
        if genome.ndim != 4 and self._spatial:
            raise InputError(
                "search.regularisers: they need a genome of pixels; use encoding=pixels or canvas."
            )
        away = genome - baseline
        if self.decay:
            away = away * (1 - self.decay)
        if self.blur_every and (step + 1) % self.blur_every == 0:
            away = gaussian_blur(away, self.blur_sigma)
        if self.clip_pixels:
            away = away * _largest(away.norm(dim=1, keepdim=True), self.clip_pixels)
        if self.clip_gradients:
            away = away * _largest(gradient.norm(dim=1, keepdim=True), self.clip_gradients)
        if self.clip_contributions:
            away = away * _largest(
                (gradient * away).sum(1, keepdim=True).abs(), self.clip_contributions
            )
        return baseline + away


def _largest(norms: Tensor, percentage: float) -> Tensor:
    """A mask [r, 1, h, w] that leaves out the `percentage` of places with the smallest of `norms`, row by row."""
    flat = norms.flatten(1)
    out = int(flat.shape[1] * percentage / 100)
    if out == 0:
        return torch.ones_like(norms)
    threshold = flat.kthvalue(out, dim=1, keepdim=True).values
    return (flat > threshold).view_as(norms).to(norms.dtype)
