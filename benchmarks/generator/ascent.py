"""Generated class images: confidence, cost, and recognition by a network that took no part.

recipe=generator_ascent for all 100 classes in one batch. Then its saved images, photographs, and
the fooling images of recipe=fooling_gradient at the same classes are given to SqueezeNet 1.1: the
share with the class among the first five of its 1,000.
"""

from __future__ import annotations

from statistics import fmean

import torch
from torch import Tensor

from benchmarks.generator.material import SIDES, generator, recognition_rate, run_recipe, validation


def rows() -> list[tuple[str, str]]:
    """Confidence and time, and the three shares at both sizes."""
    ascent, generated = run_recipe("recipe=generator_ascent", "target=all", *generator())
    fooling, fooling_images = run_recipe("recipe=fooling_gradient", "target=all")
    targets = torch.tensor([item["target_index"] for item in ascent["items"]])
    confidences = [item["confidence"] for item in ascent["items"]]
    what = "generator_ascent, all 100 classes of mini AlexNet in one batch, on the saved files"
    reached = sum(value >= 0.99 for value in confidences)
    numbers = (
        f"mean confidence {fmean(confidences):.4f}, {reached} of {len(confidences)} at 0.99 or "
        f"more, least {min(confidences):.3f}; {ascent['seconds']:.0f} s"
    )
    table = [(what, numbers)]
    assert [item["target_index"] for item in fooling["items"]] == targets.tolist()
    kinds = {
        "generator_ascent": (generated, targets),
        "real": validation(),
        "fooling_gradient": (fooling_images, targets),
    }
    for side in SIDES:
        shares = {
            name: recognition_rate(images, labels, side) for name, (images, labels) in kinds.items()
        }
        what = f"the class among the first five of SqueezeNet 1.1, enlarged to {side} px"
        ratio = shares["generator_ascent"] / shares["real"]
        table.append((what, f"{_percent(shares, kinds)}; {ratio:.2f} of real"))
    return table


def _percent(shares: dict[str, float], kinds: dict[str, tuple[Tensor, Tensor]]) -> str:
    return ", ".join(
        f"{name} {share:.1%} of {len(kinds[name][0])}" for name, share in shares.items()
    )
