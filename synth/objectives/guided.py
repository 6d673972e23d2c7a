"""Takes another picture as a guide; gives how well a layer's features match the best of its own: a guided dream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Images, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives.energy import layers_of, own_column, tapped

CHUNK = 1 << 24  # products of features that are held at a time, 64 MiB


class Guided(Objective):
    """1/N sum_p max_q x_p . y_q, features x of the picture at places p, y of the `guide` at places q, N numbers in x.

    The gradient at the layer is y / N of the best match at each place: what the network sees in the picture is to
    become what is most like it in the guide (google/deepdream, ``dream.ipynb``, whose scale has no 1/N; with it a
    guided term and an `Energy` of one `weight` move a picture about as much). x and y are what leaves the ReLU behind
    `layer`, unless `rectified` is False; the best match is found without gradient, as there.

    `guide` is a path or a bundled name. It is looked at once, in its own shape with its longer side at `longest`
    pixels, by default that of the network's own size, where its features mean what they were trained to mean.
    `layer` is a spatial layer, or a list (an item each).
    """

    def __init__(
        self,
        guide: str | None,
        layer: str | Sequence[str],
        longest: int | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        if guide is None:
            raise InputError("guide: there is no picture to follow; write guide=PATH.")
        if longest is not None and not 8 <= longest <= 8192:
            raise InputError(
                f"objective longest={longest}: write the guide's longer side, from 8 to 8192 pixels."
            )
        self.picture = data.picture(guide, "guide")
        self.guide, self.layers, self.longest = guide, layers_of(layer), longest
        self.rectified, self.weight = rectified, weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundGuided(self, network)

    def seen(self, network: Network, layers: Sequence[str]) -> Images:
        """The guide as the network looks at it: [1, 3, h, w]."""
        width, height = self.picture.image.size
        share = (self.longest or max(network.size)) / max(width, height)
        size = round(height * share), round(width * share)
        if min(size) < 1 or not network.reads(size, layers):
            raise InputError(
                f"guide={self.guide}: at {size[1]}x{size[0]} pixels it is too small for {network.name} at "
                f"{', '.join(layers)}; name another picture, an earlier layer=, or a larger objective longest."
            )
        return self.picture.at(size)[None].to(network.device)


class _BoundGuided(BoundObjective):
    def __init__(self, guided: Guided, network: Network) -> None:
        names = [tapped(network, name, guided.rectified) for name in guided.layers]
        for name in names:
            if len(network.layers[name]) != 3:
                raise InputError(
                    f"layer={name}: a guide is followed place by place, and {name} has no places; name a spatial "
                    f"layer, {_last_spatial(network)} or an earlier one."
                )
        self.layers, self.rectified = tuple(dict.fromkeys(names)), guided.rectified
        self.names, self.items = names, [Target(name) for name in names]
        with torch.inference_mode():
            activations = network.read(guided.seen(network, self.layers), self.layers)
        # outside the mode: what autograd is to multiply by may not be an inference tensor
        self.features = {
            name: self._flat(activations[name])[0].clone() for name in self.layers
        }  # [c, q]
        for name, features in self.features.items():
            if not bool(features.any()):
                raise InputError(
                    f"guide={guided.guide}: {name} sees nothing in it; name another picture or layer=."
                )

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = []
        for name in self.names:
            found = self._flat(readout.activations[name])
            target = matched(found.detach(), self.features[name])
            values.append((found * target).sum((1, 2)) / found[0].numel())
        return {"guided": own_column(values, readout.rows.item)}

    def _flat(self, values: Tensor) -> Tensor:
        return (values.clamp_min(0) if self.rectified else values).flatten(2)


def matched(found: Tensor, features: Tensor, chunk: int = CHUNK) -> Tensor:
    """For each place of `found` [r, c, p] the column of `features` [c, q] with the largest dot product: [r, c, p].

    No more than `chunk` products are held at a time (or those of one place); no gradient passes.
    """
    count, channels, places = found.shape
    with torch.no_grad():
        columns = found.transpose(0, 1).reshape(channels, count * places)
        step = max(1, chunk // features.shape[1])
        best = torch.cat([(features.T @ part).argmax(0) for part in columns.split(step, dim=1)])
        return features[:, best].view(channels, count, places).transpose(0, 1)


def _last_spatial(network: Network) -> str:
    return [name for name, shape in network.layers.items() if len(shape) == 3][-1]
