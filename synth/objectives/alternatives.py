"""Each of the classes that a picture may be taken for, as a score of its own: a search picks the nearest of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout
from synth.core.network import OUTPUT, Network
from synth.errors import InputError
from synth.objectives.scores import ClassScore, Names
from synth.objectives.untargeted import Untargeted


class Alternatives(Objective):
    """z_j - z_y for each of the `count` classes j whose scores before the softmax are the highest now, best first.

    y is what the picture shows, which `image`, `images` and `label` say as they do for `Untargeted`; any column above
    0 means that the network is fooled, and the first is that objective's margin. Which class a column is may change
    between two looks, never within one, where scores and gradients belong together. Searches that read several
    scores of an item want it: DeepFool steps over the nearest boundary, not that of the likeliest class.

    With a `target` there is one way alone, and one column: z_t - max_{j != t} z_j, the margin of `ClassScore`.
    Raises InputError where there are not so many other classes.
    """

    def __init__(
        self,
        image: str | None = None,
        images: str | Sequence[str] | None = None,
        label: str | int | Sequence[str | int] | None = None,
        target: Names | None = None,
        count: int = 9,
        weight: float = 1.0,
    ) -> None:
        if count < 1:
            raise InputError(f"objective count={count}: write 1 or more rivals.")
        self.goal = (
            Untargeted(image, images, label) if target is None else ClassScore(target, "margin")
        )
        self.count, self.weight = count, weight

    def bind(self, network: Network) -> BoundObjective:
        bound = self.goal.bind(network)
        if isinstance(self.goal, ClassScore):
            return bound
        others = len(network.classes) - 1
        if self.count > others:
            raise InputError(
                f"objective count={self.count}: of {len(network.classes)} classes {others} are rivals of one; write "
                f"{others} or fewer."
            )
        return _BoundRivals(bound, self.count, network)


class _BoundRivals(BoundObjective):
    layers = (OUTPUT,)
    alternatives = True

    def __init__(self, goal: BoundObjective, count: int, network: Network) -> None:
        assert goal.items is not None
        self.items, self.columns = goal.items, count
        self.index = torch.tensor([item.index for item in goal.items], device=network.device)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = readout.activations[OUTPUT]
        index = (
            self.index.expand(len(scores))
            if len(self.index) == 1
            else self.index[readout.rows.item]
        )
        others = scores.scatter(1, index[:, None], -torch.inf).topk(self.columns, 1).values
        return {"rivals": others - scores.gather(1, index[:, None])}
