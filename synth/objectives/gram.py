"""Distance of Gram matrices to those of a style picture: texture synthesis, style transfer.

A Gram matrix holds how strongly each pair of channels is active together, averaged over all places
of the image; where in the image that is plays no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError, nearest
from synth.networks import reading
from synth.networks.style_layers import style_layers
from synth.objectives._colours import in_colours_of, in_luminance_of
from synth.objectives._layers import resolve_layer
from synth.objectives._reference import ReferenceObjective

COLOURS = ("style", "content", "grey")


def gram(values: Tensor) -> Tensor:
    """The Gram matrix G = F F^T / (h w) of features [n, c, h, w].

    It is float32 [n, c, c], whatever precision the features have.
    """
    return _Gram.apply(_places(values))


def covariance(values: Tensor) -> Tensor:
    """The covariance of the channels of features [n, c, h, w] over places, by 1 / (h w): [n, c, c].

    It is the Gram matrix of the features less their mean.
    """
    places = _places(values)
    return _Gram.apply(places - places.mean(1, keepdim=True))


def moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """The covariance [n, c, c] and the mean over places [n, c]."""
    return covariance(values), _places(values).mean(1)


STATISTICS: dict[str, Callable[[Tensor], tuple[Tensor, ...]]] = {
    "gram": lambda values: (gram(values),),
    "covariance": lambda values: (covariance(values),),
    "moments": moments,
}


class GramMatch(Objective):
    """Minus the mean over `layers` of ||G_l - A_l||_F^2 / ||A_l||_F^2.

    G is the `statistic` of the image, A that of the style. 0 means the same style, -1 is the
    distance of features that are all 0. The statistic of features F is one of

    - ``gram``: F F^T / (h w);
    - ``covariance``: the same of features less their mean over places;
    - ``moments``: covariance and mean, two distances that are averaged, each over its own norm.

    The means of rectified features are large beside their deviations and make up most of a Gram
    matrix, so what varies over the image counts for little in it.

    Gatys et al. 2015 divide ||F F^T - F_s F_s^T||^2 by 4 C^2 (h w)^2 in place of ||A||^2: their
    layer l weighs ||A_l||^2 / (4 C^2) of ours, a number that differs by thousands between layers
    and networks. With ||A||^2 the weights of a recipe carry over from one network to another.

    The target of several styles is the weighted mean of their statistics, A = sum w_i A_i. It has
    the same minimiser as the weighted sum of losses, since sum w_i ||G - A_i||^2 = ||G - A||^2 + a
    constant.

    Args:
        style: a picture, or a list of pictures: paths or names of bundled ones. Each keeps its
            aspect ratio.
        weights: relative weights of several styles, 0 or more; by default equal ones.
        layers: a layer, or a list of them; by default the network's `style_layers`, relu1_1 to
            relu5_1 in a VGG.
        depth: how many of the layers are used, from the shallow on; a list is an item each; by
            default all.
        statistic: ``gram``, ``covariance`` or ``moments``.
        style_scale: the longer side of the style as a multiple of the image's, above 0.
        colours: ``style``: the colours of the style; ``content``: those of the `content` picture,
            given to the style beforehand by a linear map (Gatys et al. 2016); ``grey``: the style
            in the luminance of the content, for an encoding that changes luminance alone.
        content: the picture whose colours or luminance are used.
        rectified: read a layer after its normalisation and ReLU.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for a missing style, weights that do not fit the styles, an unknown statistic or
            word for the colours, or no depth; in `bind`, for layers that the network lacks or that
            have no places.
    """

    def __init__(
        self,
        style: data.Sources | None,
        weights: Sequence[float] | None = None,
        layers: str | Sequence[str] | None = None,
        depth: int | Sequence[int] | None = None,
        statistic: str = "gram",
        style_scale: float = 1.0,
        colours: str = "style",
        content: data.Source | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        if not style:
            raise InputError(
                "style: whose style? Write style=PATH, or style='[PATH,PATH]' for several."
            )
        sources = (
            list(style) if isinstance(style, Sequence) and not isinstance(style, str) else [style]
        )
        self.styles = [data.picture(source, "style") for source in sources]
        self.shares = _shares(weights, len(sources))
        _check_choice("statistic", statistic, STATISTICS)
        _check_choice("colours", colours, COLOURS)
        self.content = None
        if colours != "style":
            if content is None:
                raise InputError(
                    f"objective colours={colours}: they are those of the content picture; write "
                    "content=PATH."
                )
            self.content = data.picture(content, "content")
        if style_scale <= 0:
            raise InputError(f"objective style_scale={style_scale}: write a scale above 0.")
        self.layers = [layers] if isinstance(layers, str) else layers
        self.by_depth = depth is not None and not isinstance(depth, int)  # items are named by depth
        self.depth = [depth] if isinstance(depth, int) else depth
        if self.depth is not None and not self.depth:
            raise InputError("depth=[]: name at least one depth, or null for all layers.")
        self.statistic = statistic
        self.scale = style_scale
        self.colours = colours
        self.rectified = rectified
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        layers = self._resolved(network)
        for depth in self.depth or ():
            if not 1 <= depth <= len(layers):
                raise InputError(
                    f"depth={depth}: there are {len(layers)} layers; write 1 to {len(layers)}."
                )
        if self.depth is not None:
            layers = layers[: max(self.depth)]
        return _BoundGram(self, layers, network)

    def _resolved(self, network: Network) -> list[str]:
        """The layers of `network` that are read, from the shallow to the deep."""
        layers = []
        for name in style_layers(network) if self.layers is None else self.layers:
            if len(network.layers[network.layer(name)]) != 3:
                raise InputError(
                    f"layers: {name} of {network.name} has no places, and a style is a statistic "
                    "over places; name convolutional layers."
                )
            layers.append(resolve_layer(network, name, self.rectified))
        if not layers or len(set(layers)) < len(layers):
            raise InputError(f"layers={layers}: name one layer or more, each once.")
        return layers


class _BoundGram(ReferenceObjective):
    def __init__(self, match: GramMatch, layers: Sequence[str], network: Network) -> None:
        self.match = match
        self.network = network
        self.layers = tuple(layers)
        self.statistic = STATISTICS[match.statistic]
        self.depths = match.depth or [len(layers)]
        shares = [
            [(place < depth) / depth for place in range(len(layers))] for depth in self.depths
        ]
        self.shares = torch.tensor(shares, device=network.device)  # [items, layers]
        styles = " + ".join(picture.name for picture in match.styles)
        self.items = [
            Target(f"to {layers[depth - 1]}" if match.by_depth else styles) for depth in self.depths
        ]
        self.targets: list[list[Tensor]] = []  # of each layer, the parts of its statistic
        self.norms: list[list[Tensor]] = []  # their squared norms

    def measure_targets(self, size: tuple[int, int]) -> None:
        content = None
        if self.match.content is not None:
            content = self.match.content.at(size)[None].to(self.network.device)
        statistics = [self._statistics(style, size, content) for style in self.match.styles]
        self.targets = [
            [
                sum(share * part for share, part in zip(self.match.shares, parts, strict=True))
                for parts in zip(*layer, strict=True)
            ]
            for layer in zip(*statistics, strict=True)
        ]
        self.norms = [[_squared_norm(part) for part in parts] for parts in self.targets]

    def compare(self, readout: Readout) -> Mapping[str, Tensor]:
        distances = []
        for name, targets, norms in zip(self.layers, self.targets, self.norms, strict=True):
            if name not in readout.activations:  # no row's share of it is above 0
                distances.append(readout.images.new_zeros(len(readout.images)))
                continue
            parts = zip(self.statistic(readout.activations[name]), targets, norms, strict=True)
            errors = [
                (value - target).square().flatten(1).sum(1) / norm for value, target, norm in parts
            ]
            distances.append(torch.stack(errors).mean(0))
        shares = self.shares if len(self.shares) == 1 else self.shares[readout.rows.item]
        return {"style": -(torch.stack(distances, dim=1) * shares).sum(1, keepdim=True)}

    def layers_of(self, item: int) -> tuple[str, ...]:
        return self.layers[: self.depths[item if len(self.depths) > 1 else 0]]

    def _statistics(
        self, picture: data.Picture, size: tuple[int, int], content: Tensor | None
    ) -> list[tuple[Tensor, ...]]:
        """The statistic of one style at each layer, beside an image of `size`."""
        width, height = picture.image.size
        factor = self.match.scale * max(size) / max(height, width)
        shape = (max(1, round(height * factor)), max(1, round(width * factor)))
        if not self._fits(shape):
            raise InputError(
                f"style={picture.name}: at {shape[0]}x{shape[1]} pixels it is too small for "
                f"{self.layers[-1]}; write a larger encoding.size or style_scale, or "
                "shallower layers."
            )
        if not self._fits(size):
            raise InputError(
                f"encoding.size={size[0]}x{size[1]}: too small for {self.layers[-1]}; "
                "write a larger one, or shallower layers."
            )
        style = picture.at(shape)[None].to(self.network.device)
        if content is not None:
            recoloured = in_luminance_of if self.match.colours == "grey" else in_colours_of
            style = recoloured(style, content)
        activations = reading.activations(self.network, style, self.layers)
        return [self.statistic(activations[name]) for name in self.layers]

    def _fits(self, shape: tuple[int, int]) -> bool:
        """Whether an image of `shape` has several places in every layer, as a statistic needs."""
        if not self.network.reads(shape, self.layers):
            return False
        activations = reading.activations(self.network, torch.zeros(1, 3, *shape), self.layers)
        return all(values.shape[2] * values.shape[3] > 1 for values in activations.values())


def _shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """The `weights` of `count` styles, equal ones by default, scaled to a sum of 1."""
    shares = [1.0] * count if weights is None else list(weights)
    if len(shares) != count:
        raise InputError(f"weights: {len(shares)} for {count} styles; write one for each.")
    if min(shares) < 0 or sum(shares) <= 0:
        raise InputError(
            f"weights={shares}: they are shares; write numbers of 0 or more, and one above 0."
        )
    return [share / sum(shares) for share in shares]


def _check_choice(word: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        hint = nearest(value, choices) or f" Write one of {', '.join(choices)}."
        raise InputError(f"objective {word}={value}: no such {word}.{hint}")


def _squared_norm(target: Tensor) -> Tensor:
    """The squared norm of one part of a target; 1 where it is 0, for a layer that is all zeros."""
    square = target.square().sum()
    return torch.where(square > 0, square, 1.0)


def _places(values: Tensor) -> Tensor:
    """Features [n, c, h, w] as a row for each place, float32 [n, h w, c].

    It is a view of what convolutions give, channels last.
    """
    return values.permute(0, 2, 3, 1).flatten(1, 2).float()


class _Gram(torch.autograd.Function):
    """X^T X / p of X [n, p, c].

    Its gradient X (S + S^T) / p for cotangents S takes one matrix product, autograd's own two.
    """

    @staticmethod
    def forward(ctx: Any, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return places.mT @ places / places.shape[1]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Tensor:  # type: ignore[override]
        (places,) = ctx.saved_tensors
        return places @ ((cotangent + cotangent.mT) / places.shape[1])
