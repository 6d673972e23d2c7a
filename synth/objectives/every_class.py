"""Scores of several classes for each image, one column a class: for MAP-Elites over classes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.objectives.scores import Names, check_not_random, check_score, range_of, score_of


class EveryClass(Objective):
    """A `score` of every class of `target` for every image; column i is the class of item i.

    Args:
        target: the classes by name, synset or index, a list or ``all``.
        score: ``logit``, ``log_probability``, ``probability`` or ``margin``, as for `ClassScore`.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an unknown score or ``random`` targets; in `bind`, for an unknown class.
    """

    def __init__(
        self, target: Names = "all", score: str = "probability", weight: float = 1.0
    ) -> None:
        check_score(score)
        check_not_random(target)
        self.names = target
        self.score = score
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundEveryClass(self.names, self.score, network)


class _BoundEveryClass(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, names: Names, score: str, network: Network) -> None:
        indices = network.classes.indices(names, network.name)
        self.score = score
        self.range = range_of(score)
        self.columns = len(indices)
        self.index = torch.tensor(indices, device=network.device)
        self.items = [Target(network.classes.label(i), i) for i in indices]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = score_of(readout.activations[OUTPUT], self.score)
        return {f"class_{self.score}": scores[:, self.index]}
