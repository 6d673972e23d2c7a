"""Adversarial margin over many pictures: the objective of a universal adversarial perturbation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.data.split import HeldOutSplit
from synth.errors import InputError
from synth.objectives._layers import clean_labels, select_index
from synth.objectives.scores import Names, check_score, margin_of

SCORES = ("margin", "rate")


class EveryPicture(Objective):
    """The clamped margin of each picture of the batch under a universal perturbation.

    With logits z and y the class that the network predicts for the clean image, ``margin`` is

    - untargeted: min(max_{j != y} z_j - z_y, `confidence`);
    - targeted, with the target t: min(z_t - max_{j != t} z_j, `confidence`); pictures that are
      classified as t without the perturbation count `confidence`, so they have no gradient.

    It is above 0 exactly where the network is fooled. The clamp is what makes the perturbation
    universal: a picture that is fooled by `confidence` has no gradient, so that the pictures that
    are not fooled determine the step (the clamped loss of Shafahi et al. 2020 and of Zhang et al.
    2020, there against the true class and, in the latter, with a bound of 10; a looser bound gave a
    higher fooling rate on held-out pictures). ``rate`` is 1 where the margin is above 0, else 0: a
    number to monitor, without a gradient. Its mean is the fooling rate.

    The clean images are classified once, in `bind`, at the network's own size; these forward passes
    count towards no budget.

    Args:
        images: the pictures, a folder, a glob or a list; the same as the encoding's.
        holdout: how many of them, or below 1 which share, are held out; as the encoding's.
        seed: the seed of the split; as the encoding's.
        target: the target class by name, synset or index, or a list (an item, and so a
            perturbation, each); None for an untargeted perturbation.
        score: ``margin`` or ``rate``.
        confidence: the margin at which a picture is clamped, above 0, in logits.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an unknown score, a confidence of 0 or less, or no images; in `bind`, for an
            unknown class.
    """

    def __init__(
        self,
        images: data.Sources | None = None,
        holdout: float = 0,
        seed: int = 0,
        target: Names | None = None,
        score: str = "margin",
        confidence: float = 30.0,
        weight: float = 1.0,
    ) -> None:
        check_score(score, SCORES)
        if confidence <= 0:
            raise InputError(f"objective confidence={confidence}: write a margin above 0.")
        self.pictures = HeldOutSplit(images, holdout, seed)
        self.target = target
        self.score = score
        self.confidence = confidence
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        targets = None
        if self.target is not None:  # first: an unknown class is reported before the forward passes
            targets = network.classes.indices(self.target, network.name)
        pictures = self.pictures.at(network.size).train
        labels = clean_labels(network, pictures)
        return _BoundEveryPicture(labels, targets, self.score, self.confidence, network)


class _BoundEveryPicture(BoundObjective):
    layers = (OUTPUT,)

    def __init__(
        self,
        labels: Tensor,
        targets: list[int] | None,
        score: str,
        confidence: float,
        network: Network,
    ) -> None:
        self.labels = labels
        self.score = score
        self.range = (0.0, 1.0) if score == "rate" else (-confidence, confidence)
        self.confidence = confidence
        self.targets: Tensor | None = None
        # the name that earlier versions drew the random numbers of a seed from
        self.items = [Target("untargeted", seed_name="not what is there")]
        if targets is not None:
            self.targets = torch.tensor(targets, device=network.device)
            self.items = [Target(network.classes.label(i), i) for i in targets]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        logits = readout.activations[OUTPUT]
        labels = self.labels[readout.picture_index]
        if self.targets is None:
            margin = -margin_of(logits, labels[:, None])[:, 0]
        else:
            targets = select_index(self.targets, readout.rows.item)
            margin = margin_of(logits, targets[:, None])[:, 0]
            margin = torch.where(labels == targets, self.confidence, margin)
        if self.score == "rate":
            return {"rate": (margin > 0).float()[:, None]}
        return {"margin": margin.clamp_max(self.confidence)[:, None]}
