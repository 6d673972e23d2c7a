"""Objectives as people write them in Python: ``"layer:unit"``, a list, a function, a sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import no_type_check

from synth.core import Objective
from synth.errors import InputError
from synth.objectives.each import Each
from synth.objectives.energy import Energy
from synth.objectives.function import Function
from synth.objectives.scores import Channel

Spec = Objective | str | Callable | Sequence


@no_type_check
def objective_of(spec: Spec) -> Objective:
    """The objective that `spec` stands for.

    Args:
        spec: ``"layer:unit"``, the mean activation of a channel (of a unit where the layer has no
            places; ``output:17`` is the logit of class 17); ``"layer"``, its energy; a function of
            activations; a list of these, an item each; or an `Objective`, which stays as it is.

    Raises:
        InputError: for anything else.
    """
    if isinstance(spec, Objective):
        return spec
    if isinstance(spec, str):
        layer, colon, unit = spec.rpartition(":")
        if not colon:
            return Energy(spec)
        if not layer or not unit.isdecimal():
            raise InputError(f'objective={spec}: write "layer:unit" with the number of a unit.')
        return Channel(layer, int(unit))
    if callable(spec):
        return Function(spec)
    if isinstance(spec, Sequence):
        return Each([objective_of(entry) for entry in spec])
    raise InputError(
        f'objective: a {type(spec).__name__}; write "layer:unit", a list of these, a function of '
        "activations, or an Objective."
    )
