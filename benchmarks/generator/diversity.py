"""How unlike the several codes of a class are, beside how unlike its photographs are.

recipe=generator_diversity, five codes for each of twenty classes; once more with independent starts alone. The distance
of two pictures is Euclidean, in what a network says of them, scaled to length 1, since what is searched for is stronger
than what is photographed: mini AlexNet's fc7 after its ReLU, and the last layer of SqueezeNet 1.1 before its weights,
averaged over places, at 160 px. A class's own is the mean over all pairs: of the five, and of its 25 validation
pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean, median

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.generator.material import BATCH, generator, known, other, ran, validation
from synth import data
from synth.core.network import over_places
from synth.networks.style_layers import penultimate_layer

TARGETS, COUNT = list(range(0, 100, 5)), 5  # every fifth class, so that nobody chose them


def rows() -> list[tuple[str, str]]:
    """Confidence, and distances as shares of those among photographs."""
    images, labels = validation()
    told = []
    for name, words in (
        ("", []),
        (", independent starts alone", ["objective.terms.diversity.weight=0"]),
    ):
        result, drawn = ran("recipe=generator_diversity", f"target={TARGETS}", f"encoding.count={COUNT}", *words,
                            *generator())  # fmt: skip
        sure = fmean(item["confidence"] for item in result["items"])
        parts = []
        for what, features in (
            ("mini AlexNet's relu7", _relu7),
            ("SqueezeNet 1.1's last", _pooled),
        ):
            ratios = [
                _apart(features(drawn[place * COUNT : (place + 1) * COUNT]))
                / _apart(features(images[labels == target]))
                for place, target in enumerate(TARGETS)
            ]
            parts.append(f"{median(ratios):.2f} in {what} ({min(ratios):.2f} to {max(ratios):.2f})")
        told.append((
            f"generator_diversity{name}: mean distance of {COUNT} codes' pictures to that of photographs, median of "
            f"{len(TARGETS)} classes",
            f"{', '.join(parts)}; mean confidence {sure:.3f}",
        ))  # fmt: skip
    return told


def _apart(features: Tensor) -> float:
    """The mean distance over all pairs of rows."""
    return float(torch.pdist(functional.normalize(features)).mean())


def _relu7(images: Tensor) -> Tensor:
    return _read(images, lambda part: known().read(part, ["relu7"])["relu7"])


def _pooled(images: Tensor) -> Tensor:
    layer = penultimate_layer(other())
    return _read(
        images,
        lambda part: over_places(other().read(data.fitted(part, (160, 160)), [layer])[layer]),
    )


def _read(images: Tensor, reads: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.inference_mode():
        return torch.cat([reads(part) for part in images.split(BATCH)])
