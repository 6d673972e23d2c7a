"""The discriminator of adversarial training: photographs against reconstructions of a code."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SMALLEST = 4  # rows and columns below which feature maps are not halved further
HIDDEN = 256  # features before the score


class Discriminator(nn.Module):
    """Scores how likely pictures are photographs rather than reconstructions of their codes.

    4 x 4 convolutions of stride 2 down to 4 x 4 positions, then a linear layer to features f; the
    score is ``w f + <V code, f> / sqrt(256)``: the code enters by a projection (Miyato & Koyama
    2018). Every layer is spectrally normalised (Miyato et al. 2018), which bounds its Lipschitz
    constant.

    Args:
        code: shape of one code, flat or spatial.
        size: side of the pictures in pixels.
        width: channels of the first layer, doubled at each halving up to four times as many.
    """

    def __init__(self, code: Sequence[int], size: int, width: int = 32) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = 3
        channels = width
        side = size
        while side > SMALLEST:
            stages += [
                spectral_norm(nn.Conv2d(before, channels, 4, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
            ]
            before = channels
            channels = min(2 * channels, 4 * width)
            side //= 2
        self.stages = nn.Sequential(*stages, nn.Flatten())
        self.features = nn.Sequential(
            spectral_norm(nn.Linear(before * side * side, HIDDEN)), nn.LeakyReLU(0.2)
        )
        self.score = spectral_norm(nn.Linear(HIDDEN, 1))
        self.project = nn.Sequential(nn.Flatten(), spectral_norm(nn.Linear(prod(code), HIDDEN)))

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Scores ``[n]`` of `images` ``[n, 3, size, size]`` in [0, 1] with codes ``[n, *code]``."""
        features = self.features(self.stages(images * 2 - 1))
        return (
            self.score(features)[:, 0] + (self.project(code) * features).sum(1) / HIDDEN**0.5
        ).float()
