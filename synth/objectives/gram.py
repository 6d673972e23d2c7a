"""How near the statistics of a picture's features are to those of another: texture and style, wherever things stand.

A Gram matrix says how strongly pairs of channels go together, over all places of a picture, and nothing of where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError, nearest
from synth.networks.style_layers import style_layers
from synth.objectives._colours import in_colours_of, in_luminance_of
from synth.objectives.energy import tapped

COLOURS = ("style", "content", "grey")


def gram(values: Tensor) -> Tensor:
    """G = F F^T / (h w) of features [n, c, h, w]: float32 [n, c, c], whatever precision they come in."""
    return _Gram.apply(_places(values))


def covariance(values: Tensor) -> Tensor:
    """The same of features less their mean over places: the covariance of the channels, [n, c, c], by 1 / (h w)."""
    places = _places(values)
    return _Gram.apply(places - places.mean(1, keepdim=True))


def moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """The covariance, and the mean over places [n, c]."""
    return covariance(values), _places(values).mean(1)


STATISTICS: dict[str, Callable[[Tensor], tuple[Tensor, ...]]] = {
    "gram": lambda values: (gram(values),),
    "covariance": lambda values: (covariance(values),),
    "moments": moments,
}


class GramMatch(Objective):
    """Minus the mean over `layers` of ||G_l - A_l||_F^2 / ||A_l||_F^2, G of the picture and A of the `style`.

    G is the `statistic`: ``gram``, F F^T / (h w); ``covariance``, the same of features less their mean, which the
    Gram matrix is a sloppier and faster version of; or ``moments``, covariance and mean, the two distances averaged,
    each over its own length. Rectified features have means that are large beside their deviations: these make up most
    of a Gram matrix, and what differs from place to place counts for little in it. 0 is the same style, -1 as far
    away as features that are all 0.

    Gatys et al. 2015 divide ||F F^T - F_s F_s^T||^2 by 4 C^2 (h w)^2 in place of ||A||^2: their layer l weighs
    ||A_l||^2 / (4 C^2) of ours, a number that differs by thousands between layers and networks. Dividing by it lets
    the weights of a recipe carry over.

    `style` may be several pictures with `weights`, which count by their shares: the target is then the mean of their
    matrices, A = sum w_i A_i, which has the same minimiser as the sum of losses, since sum w_i ||G - A_i||^2
    = ||G - A||^2 + a constant. Each keeps its own shape; its longer side is `style_scale` times the picture's.
    `layers` null lets the network choose (`style_layers`: relu1_1 to relu5_1 in a VGG); `depth` takes so many of them, from
    the shallow on, and a list of depths is an item each. `colours`: those of the ``style``; those of the `content`
    picture, given to the style beforehand by a linear map (Gatys et al. 2016); or ``grey``, the style in the
    luminance of the content, for an encoding that moves luminance alone.
    """

    def __init__(
        self,
        style: str | Sequence[str] | None,
        weights: Sequence[float] | None = None,
        layers: str | Sequence[str] | None = None,
        depth: int | Sequence[int] | None = None,
        statistic: str = "gram",
        style_scale: float = 1.0,
        colours: str = "style",
        content: str | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        if not style:
            raise InputError(
                "style: whose style? Write style=PATH, or style='[PATH,PATH]' for several."
            )
        names = [style] if isinstance(style, str) else list(style)
        self.styles = [data.picture(name, "style") for name in names]
        shares = [1.0] * len(names) if weights is None else list(weights)
        if len(shares) != len(names):
            raise InputError(f"weights: {len(shares)} for {len(names)} styles; write one for each.")
        if min(shares) < 0 or sum(shares) <= 0:
            raise InputError(
                f"weights={shares}: they are shares; write numbers of 0 or more, and one above 0."
            )
        if statistic not in STATISTICS:
            hint = nearest(statistic, STATISTICS) or f" Write one of {', '.join(STATISTICS)}."
            raise InputError(f"objective statistic={statistic}: no such statistic.{hint}")
        if colours not in COLOURS:
            hint = nearest(colours, COLOURS) or f" Write one of {', '.join(COLOURS)}."
            raise InputError(f"objective colours={colours}: no such colours.{hint}")
        if colours != "style" and content is None:
            raise InputError(
                f"objective colours={colours}: they are those of the content picture; write content=PATH."
            )
        if style_scale <= 0:
            raise InputError(f"objective style_scale={style_scale}: write a scale above 0.")
        self.shares = [share / sum(shares) for share in shares]
        self.content = (
            data.picture(content, "content") if content is not None and colours != "style" else None
        )
        self.layers = [layers] if isinstance(layers, str) else layers
        self.depth = [depth] if isinstance(depth, int) else depth
        self.by_depth = (
            self.depth is not None and self.depth is depth
        )  # a list: its items are called by their depths
        if self.depth is not None and not self.depth:
            raise InputError("depth=[]: name at least one depth, or null for all layers.")
        self.statistic, self.scale, self.colours = statistic, style_scale, colours
        self.rectified, self.weight = rectified, weight

    def bind(self, network: Network) -> BoundObjective:
        layers = []
        for name in style_layers(network) if self.layers is None else self.layers:
            if len(network.layers[network.layer(name)]) != 3:
                raise InputError(
                    f"layers: {name} of {network.name} has no places, and a style is a statistic over places; name "
                    "convolutional layers."
                )
            layers.append(tapped(network, name, self.rectified))
        if not layers or len(set(layers)) < len(layers):
            raise InputError(f"layers={layers}: name one layer or more, each once.")
        for depth in self.depth or ():
            if not 1 <= depth <= len(layers):
                raise InputError(
                    f"depth={depth}: there are {len(layers)} layers; write 1 to {len(layers)}."
                )
        if self.depth is not None:
            layers = layers[: max(self.depth)]
        return _BoundGram(self, layers, network)


class _BoundGram(BoundObjective):
    def __init__(self, match: GramMatch, layers: Sequence[str], network: Network) -> None:
        self.match, self.layers, self.network = match, tuple(layers), network
        self.statistic = STATISTICS[match.statistic]
        each = match.depth or [len(layers)]
        shares = [[(place < depth) / depth for place in range(len(layers))] for depth in each]
        self.shares = torch.tensor(shares, device=network.device)  # of each layer in each item
        told = " + ".join(picture.name for picture in match.styles)
        self.items = [
            Target(f"to {layers[depth - 1]}" if match.by_depth else told) for depth in each
        ]
        self.size: tuple[int, int] | None = None
        self.wanted: list[list[Tensor]] = []  # of each layer, its moments
        self.lengths: list[list[Tensor]] = []

    def at(self, size: tuple[int, int]) -> BoundObjective:
        if size == self.size:
            return self
        other = _BoundGram(self.match, self.layers, self.network)
        other._look(size)
        return other

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        if self.size is None:  # nobody said at which size: that of the pictures
            self._look((readout.images.shape[2], readout.images.shape[3]))
        found = []
        for name, wanted, lengths in zip(self.layers, self.wanted, self.lengths, strict=True):
            parts = zip(self.statistic(readout.activations[name]), wanted, lengths, strict=True)
            apart = [
                (seen - one).square().flatten(1).sum(1) / length for seen, one, length in parts
            ]
            found.append(torch.stack(apart).mean(0))
        distances = torch.stack(found, dim=1)
        shares = self.shares if len(self.shares) == 1 else self.shares[readout.rows.item]
        return {"style": -(distances * shares).sum(1, keepdim=True)}

    def _look(self, size: tuple[int, int]) -> None:
        """The statistics of the styles beside a picture of `size`."""
        self.size = size
        content = None
        if self.match.content is not None:
            content = self.match.content.at(size)[None].to(self.network.device)
        found = [self._of(picture, size, content) for picture in self.match.styles]
        shares = self.match.shares
        self.wanted = [
            [
                sum(share * part for share, part in zip(shares, parts, strict=True))
                for parts in zip(*layer, strict=True)
            ]
            for layer in zip(*found, strict=True)
        ]
        # a layer that is silent, or everywhere alike, has no length to measure by: its distance is a plain one
        lengths = [[part.square().sum() for part in layer] for layer in self.wanted]
        self.lengths = [
            [torch.where(length > 0, length, 1.0) for length in layer] for layer in lengths
        ]

    def _of(
        self, picture: data.Picture, size: tuple[int, int], content: Tensor | None
    ) -> list[tuple[Tensor, ...]]:
        """The statistic of one style at each layer, [1, c, c] and what else it has."""
        width, height = picture.image.size
        factor = self.match.scale * max(size) / max(height, width)
        shape = (max(1, round(height * factor)), max(1, round(width * factor)))
        if not self._fits(shape):
            raise InputError(
                f"style={picture.name}: at {shape[0]}x{shape[1]} pixels it is smaller than what {self.layers[-1]} "
                "looks at; write a larger encoding.size or style_scale, or shallower layers."
            )
        if not self._fits(size):
            raise InputError(
                f"encoding.size={size[0]}x{size[1]}: smaller than what {self.layers[-1]} looks at; write a larger one, "
                "or shallower layers."
            )
        style = picture.at(shape)[None].to(self.network.device)
        if content is not None:
            style = (in_luminance_of if self.match.colours == "grey" else in_colours_of)(
                style, content
            )
        with torch.no_grad():
            seen = self.network.read(style, self.layers)
            return [self.statistic(seen[name]) for name in self.layers]

    def _fits(self, shape: tuple[int, int]) -> bool:
        """Whether a picture of `shape` has several places in every layer: there is no statistic of a single one."""
        if not self.network.reads(shape, self.layers):
            return False
        with torch.inference_mode():
            seen = self.network.read(
                torch.zeros(1, 3, *shape, device=self.network.device), self.layers
            )
        return all(values.shape[2] * values.shape[3] > 1 for values in seen.values())


def _places(values: Tensor) -> Tensor:
    """Features [n, c, h, w] as a row for each place, float32 [n, h w, c]: a view of what convolutions give."""
    return values.permute(0, 2, 3, 1).flatten(1, 2).float()


class _Gram(torch.autograd.Function):
    """X^T X / p of X [n, p, c]; its gradient X (S + S^T) / p for covectors S takes one product, not autograd's two."""

    @staticmethod
    def forward(ctx: Any, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return places.mT @ places / places.shape[1]

    @staticmethod
    def backward(ctx: Any, pulled: Tensor) -> Tensor:  # type: ignore[override]
        (places,) = ctx.saved_tensors
        return places @ ((pulled + pulled.mT) / places.shape[1])
