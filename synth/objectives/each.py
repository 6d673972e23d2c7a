"""An objective of its own for each item of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives._layers import select_item


class Each(Objective):
    """Item i maximises the i-th of several objectives.

    The items are independent, and each pays for its own layers only: units of many layers are
    visualised in one batch.

    Args:
        objectives: one for each item.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for none at all; in `bind`, where one names several items, has several columns,
            or targets nothing that names an item.
    """

    def __init__(self, objectives: Sequence[Objective], weight: float = 1.0) -> None:
        if not objectives:
            raise InputError("objective=[]: name at least one.")
        self.objectives = list(objectives)
        self.needs_original = any(objective.needs_original for objective in self.objectives)
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundEach(
            [objective.bind(network) for objective in self.objectives],
            [objective.weight for objective in self.objectives],
        )


class _BoundEach(BoundObjective):
    def __init__(self, bounds: Sequence[BoundObjective], weights: Sequence[float]) -> None:
        targets = []
        for place, bound in enumerate(bounds):
            if bound.items is None or len(bound.items) != 1 or bound.columns > 1:
                raise InputError(
                    f"objective: entry {place} of the list is not about a single item; name a "
                    "class, a unit or a layer in it."
                )
            targets += bound.items
        self.bounds = bounds
        self.weights = weights
        self.items = targets
        self.layers = tuple(dict.fromkeys(name for bound in bounds for name in bound.layers))

    def layers_of(self, item: int) -> tuple[str, ...]:
        return self.bounds[item if len(self.bounds) > 1 else 0].layers

    def at(self, size: tuple[int, int]) -> BoundObjective:
        return _BoundEach([bound.at(size) for bound in self.bounds], self.weights)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values: list[Tensor | None] = []
        for bound, weight in zip(self.bounds, self.weights, strict=True):
            if all(name in readout.activations for name in bound.layers):
                terms = torch.stack(list(bound(readout).values())).sum(0)
                values.append(terms[:, 0] * weight)
            else:  # no row of this item is among these
                values.append(None)
        return {"each": select_item(values, readout.rows.item)}
