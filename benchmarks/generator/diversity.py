"""Diversity of several codes of a class, beside that of photographs of the class.

recipe=generator_diversity, five codes for each of twenty classes; once more with independent starts
alone. The distance of two images is Euclidean between activations scaled to length 1, since what is
searched for is stronger than what is photographed: relu7 of mini AlexNet, and the penultimate layer
of SqueezeNet 1.1, averaged over places, at 160 px. The distance of a class is the mean over all
pairs: of the five, and of its 25 validation pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean, median

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.generator.material import (
    BATCH,
    generator,
    mini_alexnet,
    run_recipe,
    squeezenet,
    validation,
)
from synth import data
from synth.core.network import over_places
from synth.networks.style_layers import penultimate_layer

TARGETS, COUNT = list(range(0, 100, 5)), 5  # every fifth class


def rows() -> list[tuple[str, str]]:
    """Confidence, and distances as shares of those among photographs."""
    images, labels = validation()
    table = []
    for name, words in (
        ("", []),
        (", independent starts alone", ["objective.terms.diversity.weight=0"]),
    ):
        recipe = "recipe=generator_diversity", f"target={TARGETS}", f"encoding.count={COUNT}"
        result, generated = run_recipe(*recipe, *words, *generator())
        confidence = fmean(item["confidence"] for item in result["items"])
        parts = []
        for layer_name, features in (
            ("mini AlexNet's relu7", _relu7),
            ("SqueezeNet 1.1's last", _pooled),
        ):
            ratios = [
                _mean_distance(features(generated[place * COUNT : (place + 1) * COUNT]))
                / _mean_distance(features(images[labels == target]))
                for place, target in enumerate(TARGETS)
            ]
            parts.append(
                f"{median(ratios):.2f} in {layer_name} ({min(ratios):.2f} to {max(ratios):.2f})"
            )
        title = (
            f"generator_diversity{name}: mean distance of {COUNT} codes' images to that of "
            f"photographs, median of {len(TARGETS)} classes"
        )
        table.append((title, f"{', '.join(parts)}; mean confidence {confidence:.3f}"))
    return table


def _mean_distance(features: Tensor) -> float:
    """The mean distance over all pairs of rows."""
    return float(torch.pdist(functional.normalize(features)).mean())


def _relu7(images: Tensor) -> Tensor:
    return _read(images, lambda part: mini_alexnet().read(part, ["relu7"])["relu7"])


def _pooled(images: Tensor) -> Tensor:
    layer = penultimate_layer(squeezenet())
    return _read(
        images,
        lambda part: over_places(squeezenet().read(data.fitted(part, (160, 160)), [layer])[layer]),
    )


def _read(images: Tensor, reads: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.inference_mode():
        return torch.cat([reads(part) for part in images.split(BATCH)])
