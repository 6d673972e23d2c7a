"""Takes the words `layer` and `guide`; gives what a dream climbs: the energy of a layer, or its likeness to a guide."""

from __future__ import annotations

from collections.abc import Sequence

from synth.core import Objective
from synth.errors import InputError
from synth.objectives.energy import Energy
from synth.objectives.guided import Guided


def dream(
    layer: str | Sequence[str],
    unit: int | Sequence[int] | None = None,
    guide: str | None = None,
    longest: int | None = None,
    rectified: bool = True,
    weight: float = 1.0,
) -> Objective:
    """`Guided` where a `guide` is named, else `Energy`. `longest` is the guide's, `unit` is for a dream without one."""
    if guide is None:
        if longest is not None:
            raise InputError(
                f"objective longest={longest}: it is the size of a guide; write guide=PATH."
            )
        return Energy(layer, unit, rectified, weight)
    if unit is not None:
        raise InputError(
            f"unit={unit}: a guide is followed in all channels of a layer; leave out unit= or guide=."
        )
    return Guided(guide, layer, longest, rectified, weight)
