"""All pictures at once: away from what the network sees in each of them, or towards one class."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.data.split import HeldOutSplit, Source
from synth.errors import InputError, nearest
from synth.networks import reading
from synth.objectives.scores import Names, lead

SCORES = ("margin", "rate")


class EveryPicture(Objective):
    """How far each picture of a universal perturbation's batch is from what the network sees in it, or near `target`.

    With scores z before the softmax and y the class that the network sees in the picture without the perturbation,
    ``margin``: min(max_{j != y} z_j - z_y, `confidence`), above 0 exactly where the network is fooled. The bound is
    what makes it universal: a picture that is fooled by `confidence` counts no further, and those that are not have
    the gradient to themselves (the clamped loss of Shafahi et al. 2020 and of Zhang et al. 2020, there against the true
    class and, in the latter, with a bound of 10; a looser one led further on pictures that were not learned from). With
    a `target` t it is min(z_t - max_{j != t} z_j, `confidence`); pictures that are seen as t already count
    `confidence`, for nothing is to be done. A list of targets is an item, and so a perturbation, for each. ``rate``: 1
    where the margin is above 0, else 0, a number to watch, without a gradient.

    `images`, `holdout` and `seed` are the words of the encoding that draws the pictures. What the network sees is one
    look at each when the run begins, at the network's own size, that no budget counts.
    """

    def __init__(
        self,
        images: Source = None,
        holdout: float = 0,
        seed: int = 0,
        target: Names | None = None,
        score: str = "margin",
        confidence: float = 30.0,
        weight: float = 1.0,
    ) -> None:
        if score not in SCORES:
            raise InputError(
                f"objective score={score}: no such score.{nearest(score, SCORES) or ' Write margin or rate.'}"
            )
        if confidence <= 0:
            raise InputError(f"objective confidence={confidence}: write a margin above 0.")
        self.pictures = HeldOutSplit(images, holdout, seed)
        self.target, self.score, self.confidence, self.weight = target, score, confidence, weight

    def bind(self, network: Network) -> BoundObjective:
        targets = None
        if self.target is not None:
            targets = network.classes.indices(
                self.target, network.name
            )  # an unknown class is said before the looks
        pictures = self.pictures.at(network.size).train
        seen = reading.logits(network, pictures).argmax(1)
        return _BoundEveryPicture(seen, targets, self.score, self.confidence, network)


class _BoundEveryPicture(BoundObjective):
    layers = (OUTPUT,)

    def __init__(
        self,
        seen: Tensor,
        targets: list[int] | None,
        score: str,
        confidence: float,
        network: Network,
    ) -> None:
        self.seen, self.score, self.confidence = seen, score, confidence
        self.targets: Tensor | None = None
        self.items = [Target("untargeted")]
        if targets is not None:
            self.targets = torch.tensor(targets, device=network.device)
            self.items = [Target(network.classes.label(i), i) for i in targets]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores, seen = readout.activations[OUTPUT], self.seen[readout.picture_index]
        if self.targets is None:
            margin = -lead(scores, seen[:, None])[:, 0]
        else:
            wanted = self.targets[
                readout.rows.item if len(self.targets) > 1 else torch.zeros_like(readout.rows.item)
            ]
            margin = torch.where(
                seen == wanted, self.confidence, lead(scores, wanted[:, None])[:, 0]
            )
        value = (
            margin.clamp_max(self.confidence) if self.score == "margin" else (margin > 0).float()
        )
        return {self.score: value[:, None]}
