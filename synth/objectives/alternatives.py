"""Margins over the nearest alternative classes: for DeepFool and minimal-norm attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Objective, Readout
from synth.core.network import OUTPUT, Network
from synth.errors import InputError
from synth.objectives._layers import select_index
from synth.objectives.scores import ClassScore, Names
from synth.objectives.untargeted import Untargeted

MOST = 9  # alternatives by default


class Alternatives(Objective):
    """Untargeted: z_j - z_y for each of the `count` other classes j of the highest logits z.

    y is the label of the clean image. The columns are alternatives of one item, sorted from the
    highest on: any column above 0 means that the network is fooled, and the first is the margin of
    `Untargeted`. Which class a column is may change between two evaluations, never within one,
    where scores and gradients belong together. Searches that read several scores of an item need
    it: DeepFool steps over the nearest decision boundary, not over that of the likeliest class.

    Targeted, with a `target` t, there is one alternative and so one column: z_t - max_{j != t} z_j,
    the margin of `ClassScore`.

    Args:
        image: one picture, as for `Untargeted`.
        images: several pictures, an item each, in place of `image`.
        label: the class y of the pictures, as for `Untargeted`; by default what the network
            predicts for them.
        target: the target class by name, synset or index, a list (an item each) or ``random``;
            None for an untargeted objective.
        count: the number of alternative classes, 1 or more; by default 9, or all there are.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for a `count` below 1, or, in `bind`, above the number of other classes.
    """

    def __init__(
        self,
        image: data.Source | None = None,
        images: data.Sources | None = None,
        label: str | int | Sequence[str | int] | None = None,
        target: Names | None = None,
        count: int | None = None,
        weight: float = 1.0,
    ) -> None:
        if count is not None and count < 1:
            raise InputError(f"objective count={count}: write 1 or more alternatives.")
        self.goal = (
            Untargeted(image, images, label) if target is None else ClassScore(target, "margin")
        )
        self.count = count
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        bound = self.goal.bind(network)
        if isinstance(self.goal, ClassScore):
            return bound
        others = len(network.classes) - 1
        if self.count is None:
            return _BoundAlternatives(bound, min(MOST, others), network)
        if self.count > others:
            raise InputError(
                f"objective count={self.count}: of {len(network.classes)} classes {others} are "
                f"alternatives to one; write {others} or fewer."
            )
        return _BoundAlternatives(bound, self.count, network)


class _BoundAlternatives(BoundObjective):
    layers = (OUTPUT,)
    alternatives = True

    def __init__(self, goal: BoundObjective, count: int, network: Network) -> None:
        assert goal.items is not None
        self.items = goal.items
        self.columns = count
        self.index = torch.tensor([item.index for item in goal.items], device=network.device)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        logits = readout.activations[OUTPUT]
        index = select_index(self.index, readout.rows.item)[:, None]
        others = logits.scatter(1, index, -torch.inf).topk(self.columns, 1).values
        return {"alternatives": others - logits.gather(1, index)}
