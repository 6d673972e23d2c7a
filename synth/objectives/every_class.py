"""What the network says of each of several classes, one column a class: for searches whose pictures compete for all."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synth.core import Bound, Objective, Reading, Target
from synth.errors import InputError, nearest
from synth.networks.network import OUTPUT, Network
from synth.objectives.scores import MEASURES, Names, measured


class EveryClass(Objective):
    """A `measure` (as `ClassScore` has them) of every class of `target` in every picture.

    Column i is the class of item i. `target` names the classes, a list or ``all``.
    """

    def __init__(self, target: Names = "all", measure: str = "probability", weight: float = 1.0) -> None:
        if measure not in MEASURES:
            raise InputError(f"objective measure={measure}: no such measure.{nearest(measure, MEASURES)}")
        if target == "random":
            raise InputError("target=random: here every picture competes for every target; write their names, or all.")
        self.names, self.measure, self.weight = target, measure, weight

    def bind(self, network: Network) -> Bound:
        return _BoundEvery(self.names, self.measure, network)


class _BoundEvery(Bound):
    layers = (OUTPUT,)

    def __init__(self, names: Names, measure: str, network: Network) -> None:
        indices = network.classes.indices(names, network.name)
        self.measure, self.columns = measure, len(indices)
        self.index = torch.tensor(indices, device=network.device)
        self.items = [Target(network.classes.label(i), i) for i in indices]

    def __call__(self, reading: Reading) -> Mapping[str, Tensor]:
        return {f"class_{self.measure}": measured(reading.taps[OUTPUT], self.measure)[:, self.index]}
