"""Attributions as pictures: grey maps, colours of channels, red and blue, and overlays.

The strongest half per cent of a map's values is cut off, so that a few pixels do not make the rest
dark.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from matplotlib import colormaps
from torch import Tensor

STRONGEST = 0.995
HEAT, DIVERGING = "turbo", "RdBu_r"
OPACITY = 0.55


def view(
    kind: str, image: Float[Tensor, "3 h w"], values: Float[Tensor, "c h w"], shown: Tensor
) -> Float[Tensor, "3 h w"]:
    """An attribution as a picture.

    Args:
        kind: ``grey``, ``colour``, ``signed`` or ``overlay``; see `Attribution.view`.
        image: that is explained.
        values: the attribution, of each channel.
        shown: one value a pixel, [h, w].
    """
    match kind:
        case "colour":
            return coloured(values.expand(3, -1, -1))
        case "signed":
            return diverging(shown)
        case "overlay":
            return heated(image, shown)
        case _:
            return grey(shown)


def grey(shown: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """White where a map without sign is largest, black where it is zero."""
    return (shown / _largest(shown)).clamp(0, 1).expand(3, -1, -1)


def shaded(values: Float[Tensor, "h w"], largest: float) -> Float[Tensor, "3 h w"]:
    """Mid grey at zero, white at `largest`, black at minus it."""
    return (0.5 + 0.5 * values / max(largest, 1e-30)).expand(3, -1, -1)


def coloured(values: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Mid grey where nothing matters; lighter or darker in each channel by its sign."""
    return (0.5 + 0.5 * values / _largest(values)).clamp(0, 1)


def diverging(shown: Float[Tensor, "h w"], largest: float | None = None) -> Float[Tensor, "3 h w"]:
    """Red above zero, blue below, white at it.

    Args:
        shown: one value a pixel.
        largest: the value that is darkest; by default that of the map.
    """
    scale = _largest(shown) if largest is None else largest
    return _mapped(DIVERGING, 0.5 + 0.5 * shown / max(float(scale), 1e-12))


def heated(image: Float[Tensor, "3 h w"], shown: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """The picture under its map, from blue, the lowest value, to red, the highest."""
    low, high = shown.min(), shown.max()
    colours = _mapped(HEAT, (shown - low) / (high - low).clamp(min=1e-12))
    return torch.lerp(image, colours, OPACITY)


def tinted(
    image: Float[Tensor, "3 h w"], shown: Float[Tensor, "h w"], largest: float
) -> Float[Tensor, "3 h w"]:
    """The picture in grey under red, where values are above zero, and blue, where below."""
    pale = 0.35 + 0.65 * image.mean(0, keepdim=True).expand(3, -1, -1)
    return pale * diverging(shown, largest)


def _largest(values: Tensor) -> Tensor:
    """The magnitude below which most values lie."""
    magnitudes = values.nan_to_num(0, 0, 0).abs().flatten().sort().values
    largest = magnitudes[min(len(magnitudes) - 1, int(STRONGEST * len(magnitudes)))]
    return torch.where(largest > 0, largest, magnitudes[-1]).clamp(min=1e-30)


def _mapped(name: str, shares: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """Colours of shares in [0, 1]."""
    rgb = colormaps[name](shares.nan_to_num(0.5, 1, 0).clamp(0, 1).cpu().numpy())[..., :3]
    return torch.from_numpy(rgb).permute(2, 0, 1).float()
