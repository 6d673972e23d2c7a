"""What the network says of each of several classes, one column a class: for searches whose pictures compete for all."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.errors import InputError, nearest
from synth.objectives.scores import SCORES, Names, score_of


class EveryClass(Objective):
    """A `score` (as `ClassScore` has them) of every class of `target` in every picture.

    Column i is the class of item i. `target` names the classes, a list or ``all``.
    """

    def __init__(
        self, target: Names = "all", score: str = "probability", weight: float = 1.0
    ) -> None:
        if score not in SCORES:
            raise InputError(f"objective score={score}: no such score.{nearest(score, SCORES)}")
        if target == "random":
            raise InputError(
                "target=random: here every picture competes for every target; write their names, or all."
            )
        self.names, self.score, self.weight = target, score, weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundEvery(self.names, self.score, network)


class _BoundEvery(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, names: Names, score: str, network: Network) -> None:
        indices = network.classes.indices(names, network.name)
        self.score, self.columns = score, len(indices)
        self.index = torch.tensor(indices, device=network.device)
        self.items = [Target(network.classes.label(i), i) for i in indices]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {
            f"class_{self.score}": score_of(readout.activations[OUTPUT], self.score)[:, self.index]
        }
