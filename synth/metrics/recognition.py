"""How often an inverted image can still be matched to the picture whose features it was made from.

A privacy measure of feature inversion: with a layer's features and a set of candidate pictures, the
nearest candidate can be identified.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from synth.record.result import Json


class Recognition(Metric):
    """The share of saved images whose nearest neighbour among `images` is the one they came from.

    Item i was made from picture i of `images`. Findings: ``found_again_pixels``, by Euclidean
    distance of pixels; ``found_again_features``, by cosine similarity of the spatial mean of a
    layer's activations, which does not depend on contrast; ``found_again_chance``, the rate of a
    guess, 1 / N. With a single picture nothing can be mistaken, and there are no findings.

    Args:
        images: a folder, glob or list of the pictures that the items were made from, in order.
        layer: whose activations are compared; the penultimate layer by default.

    Raises:
        InputError: where the pictures cannot be read.
    """

    def __init__(self, images: data.Sources | None, layer: str | None = None) -> None:
        self.pictures: list[data.Picture] = []
        if images is not None:
            self.pictures = data.pictures(images)
        self.layer = layer

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if len(self.pictures) < 2:
            return
        if len(rows) != len(self.pictures):
            raise InputError(
                f"metrics: {len(rows)} items and {len(self.pictures)} images; they are found again "
                "where each item is made from one of them. Leave it out with "
                "metrics.recognition=null."
            )
        self._layer_of(problem.network)

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        saved_items = [item for item in outcome.items if item.file is not None]
        if len(self.pictures) < 2 or len(saved_items) != len(self.pictures):
            return {}
        network, size = outcome.problem.network, outcome.problem.encoding.size
        assert size is not None
        originals = torch.stack([picture.at(size) for picture in self.pictures])
        saved = torch.stack([outcome.record.read_back(str(item.file)) for item in saved_items])
        own = torch.arange(len(saved_items))
        by_pixels = _nearest(saved.flatten(1), originals.flatten(1)) == own
        by_features = (
            _nearest(self._features(network, saved), self._features(network, originals)) == own
        )
        for item, pixels, features in zip(outcome.items, by_pixels, by_features, strict=True):
            item.extra["found_again_pixels"] = bool(pixels)
            item.extra["found_again_features"] = bool(features)
        return {
            "found_again_pixels": round(float(by_pixels.float().mean()), 4),
            "found_again_features": round(float(by_features.float().mean()), 4),
            "found_again_chance": round(1 / len(saved_items), 4),
        }

    def _layer_of(self, network: Network) -> str:
        return penultimate_layer(network) if self.layer is None else network.layer(self.layer)

    def _features(self, network: Network, images: Images) -> Tensor:
        """Spatial means of the layer's activations, of length 1: [n, units] on the CPU."""
        layer = self._layer_of(network)
        features = reading.activations(
            network, images, [layer], size=network.size, reduce=over_places
        )
        return torch.nn.functional.normalize(features[layer], dim=1).cpu()


def _nearest(points: Tensor, candidates: Tensor) -> Tensor:
    """For each of `points` [n, d] the index of the nearest of `candidates` [m, d]: int64 [n].

    It is -1 where a distance is not a number, which argmin takes for the smallest.
    """
    distances = torch.cdist(points, candidates)
    return torch.where(distances.isfinite().all(1), distances.argmin(1), -1)
