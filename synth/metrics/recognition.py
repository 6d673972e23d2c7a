"""Takes pictures made from the features of others; gives how often each still points to the one it was made from.

What a layer's features give away: whoever holds them and a set of candidates can look for the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import Images, Rows
from synth.core.network import Network, over_places
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading
from synth.networks.style_layers import penultimate_layer


class Recognition(Metric):
    """The share of saved pictures whose nearest neighbour among `images` is the one they were made from.

    Item i was made from picture i of `images`. ``found_again_pixels`` looks among the pixels of both, by Euclidean
    distance; ``found_again_features`` at what `layer` says of both (null: the layer before the last weights), the mean
    over its places, by the cosine, which does not ask how strong a picture is. ``found_again_chance`` is what a guess
    would find, 1 / N. Where there is only one picture nothing can be mistaken, and nothing is said.
    """

    def __init__(self, images: str | Sequence[str] | None, layer: str | None = None) -> None:
        self.pictures: list[data.Picture] = []
        if images is not None:
            self.pictures = data.pictures(images)
        self.layer = layer

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if len(self.pictures) < 2:
            return
        if len(rows) != len(self.pictures):
            raise InputError(
                f"metrics: {len(rows)} items and {len(self.pictures)} images; they are found again where each item is "
                "made from one of them. Leave it out with metrics.recognition=null."
            )
        self._name(problem.network)

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        there = [i for i, item in enumerate(outcome.items) if item["file"] is not None]
        if len(self.pictures) < 2 or len(there) != len(self.pictures):
            return {}
        network, size = outcome.problem.network, outcome.problem.encoding.size
        assert size is not None
        originals = torch.stack([picture.at(size) for picture in self.pictures])
        saved = torch.stack([outcome.record.read_back(outcome.items[i]["file"]) for i in there])
        pixels = _nearest(saved.flatten(1), originals.flatten(1))
        features = _nearest(self._code(network, saved), self._code(network, originals))
        own = torch.arange(len(there))
        for item, by_pixels, by_features in zip(
            outcome.items, pixels == own, features == own, strict=True
        ):
            item["found_again_pixels"], item["found_again_features"] = (
                bool(by_pixels),
                bool(by_features),
            )
        return {
            "found_again_pixels": round(float((pixels == own).float().mean()), 4),
            "found_again_features": round(float((features == own).float().mean()), 4),
            "found_again_chance": round(1 / len(there), 4),
        }

    def _name(self, network: Network) -> str:
        return penultimate_layer(network) if self.layer is None else network.layer(self.layer)

    def _code(self, network: Network, images: Images) -> Tensor:
        """What the layer says of pictures, of length 1: [n, units] on the CPU."""
        layer = self._name(network)
        codes = reading.activations(
            network, images, [layer], size=network.size, reduce=over_places
        )[layer]
        return torch.nn.functional.normalize(codes, dim=1).cpu()


def _nearest(these: Tensor, others: Tensor) -> Tensor:
    """Of each of `these` [n, d] the place of the nearest of `others` [m, d]: [n]."""
    return torch.cdist(these, others).argmin(1)
