"""How sure the network is of what was found among codes, what it costs, and whether another network sees it too.

recipe=generator_ascent for all 100 classes in one batch. Then its saved pictures, real ones and the fooling images of
recipe=fooling_gradient, at the same classes, are shown to SqueezeNet 1.1: the share with the class in the first five of
its 1,000.
"""

from __future__ import annotations

from statistics import fmean

import torch
from torch import Tensor

from benchmarks.generator.material import SIDES, generator, ran, seen_as, validation


def rows() -> list[tuple[str, str]]:
    """Confidence and time, and the three shares at both sizes."""
    found, drawn = ran("recipe=generator_ascent", "target=all", *generator())
    fooled, noise = ran("recipe=fooling_gradient", "target=all")
    targets = torch.tensor([item["target_index"] for item in found["items"]])
    sure = [item["confidence"] for item in found["items"]]
    told = [(
        "generator_ascent, all 100 classes of mini AlexNet in one batch, on the saved files",
        f"mean confidence {fmean(sure):.4f}, {sum(one >= 0.99 for one in sure)} of {len(sure)} at 0.99 or more, "
        f"least {min(sure):.3f}; {found['seconds']:.0f} s",
    )]  # fmt: skip
    assert [item["target_index"] for item in fooled["items"]] == targets.tolist()
    kinds = {
        "generator_ascent": (drawn, targets),
        "real": validation(),
        "fooling_gradient": (noise, targets),
    }
    for side in SIDES:
        shares = {name: seen_as(images, labels, side) for name, (images, labels) in kinds.items()}
        told.append((
            f"the class among the first five of SqueezeNet 1.1, enlarged to {side} px",
            f"{_percent(shares, kinds)}; {shares['generator_ascent'] / shares['real']:.2f} of real",
        ))  # fmt: skip
    return told


def _percent(shares: dict[str, float], kinds: dict[str, tuple[Tensor, Tensor]]) -> str:
    return ", ".join(
        f"{name} {share:.1%} of {len(kinds[name][0])}" for name, share in shares.items()
    )
