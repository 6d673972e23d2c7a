"""Takes the size of pictures and the shape of a code; gives the network that tells photographs from drawings."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SMALLEST = 4  # rows and columns at which the pictures are no longer halved
HIDDEN = 256


class Discriminator(nn.Module):
    """How much a picture ``[n, 3, size, size]`` in [0, 1] looks like a photograph of its code ``[n, *code]``: ``[n]``.

    4 x 4 convolutions of stride 2 down to 4 x 4 places, then a linear layer to features f; the score is
    w f + <V code, f> / sqrt(256): the code comes in by a projection (Miyato & Koyama 2018). Every layer is
    spectrally normalised (Miyato et al. 2018), which keeps it from being certain.
    """

    def __init__(self, code: Sequence[int], size: int, width: int = 32) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before, wide, side = 3, width, size
        while side > SMALLEST:
            stages += [
                spectral_norm(nn.Conv2d(before, wide, 4, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
            ]
            before, wide, side = wide, min(2 * wide, 4 * width), side // 2
        self.stages = nn.Sequential(*stages, nn.Flatten())
        self.features = nn.Sequential(
            spectral_norm(nn.Linear(before * side * side, HIDDEN)), nn.LeakyReLU(0.2)
        )
        self.score = spectral_norm(nn.Linear(HIDDEN, 1))
        self.project = nn.Sequential(nn.Flatten(), spectral_norm(nn.Linear(prod(code), HIDDEN)))

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        features = self.features(self.stages(images * 2 - 1))
        return (
            self.score(features)[:, 0] + (self.project(code) * features).sum(1) / HIDDEN**0.5
        ).float()
