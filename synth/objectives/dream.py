"""DeepDream's objective: the energy of a layer, or the match with the features of a guide image."""

from __future__ import annotations

from collections.abc import Sequence

from synth.core import Objective
from synth.errors import InputError
from synth.objectives.energy import Energy
from synth.objectives.guided import Guided


def dream(
    layer: str | Sequence[str] | None = None,
    unit: int | Sequence[int] | None = None,
    guide: str | None = None,
    longest: int | None = None,
    rectified: bool = True,
    weight: float = 1.0,
) -> Objective:
    """`Guided` where a `guide` is named, else `Energy`.

    Args:
        layer: a layer, or a list of layers (an item each); by default the network's `dream_layer`.
        unit: a channel, or a list of them, of a dream without a guide; None for the whole layer.
        guide: a path or the name of a bundled picture; None for a dream without a guide.
        longest: the longer side of the guide in pixels; by default that of the network's size.
        rectified: read a layer after its normalisation and ReLU.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for a `longest` without a guide, or a unit with one.
    """
    if guide is None:
        if longest is not None:
            raise InputError(
                f"objective longest={longest}: it is the size of a guide; write guide=PATH."
            )
        return Energy(layer, unit, rectified, weight)
    if unit is not None:
        raise InputError(
            f"unit={unit}: a guide is followed in all channels of a layer; leave out unit= or "
            "guide=."
        )
    return Guided(guide, layer, longest, rectified, weight)
