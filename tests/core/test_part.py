"""Numbers of parts: finite, and no truth values."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from synth.core.part import Part, check_parts
from synth.core.weighted_sum import WeightedSum
from synth.errors import InputError
from synth.objectives.priors import L2
from synth.searches.gradient import Gradient
from synth.searches.operators.mutation import GaussianMutation


class Plain(Part):
    """A part without a constructor."""


class Several(Part):
    def __init__(self, shares: Sequence[float] = (), on: bool = False, at: int = 0) -> None:
        self.shares, self.on, self.at = shares, on, at


@dataclass(frozen=True)
class Data(Part):
    rate: float = 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, 2**63, 10**400])
def test_what_is_no_number(value: float) -> None:
    for call in (
        lambda: Data(value),
        lambda: Data(rate=value),
        lambda: Several([0.5, value]),
        lambda: Several(at=value),
        lambda: Gradient(rate=value),
        lambda: GaussianMutation(sigma=value),
    ):
        with pytest.raises(InputError, match="number"):
            call()


def test_the_message() -> None:
    with pytest.raises(InputError) as caught:
        Gradient(rate=math.nan)
    assert str(caught.value) == "Gradient.rate=nan: write a finite number."


def test_what_is_one() -> None:
    assert Data(1).rate == 1
    assert Several(on=True).on is True
    assert copy.deepcopy(Data(2.0)) == Data(2.0)


def test_the_signature_is_that_of_the_constructor() -> None:
    assert list(inspect.signature(Several).parameters) == ["shares", "on", "at"]
    assert list(inspect.signature(Data).parameters) == ["rate"]
    assert not inspect.signature(Plain).parameters
    with pytest.raises(TypeError):
        Plain(3)


def test_every_part_of_several_is_of_their_kind() -> None:
    check_parts("terms", {"a": L2(), "b": None}, L2)
    with pytest.raises(InputError) as caught:
        WeightedSum({"a": L2(), "b": 3})  # type: ignore[dict-item]
    assert str(caught.value) == "objective.terms.b=3: write a part of the kind Objective."
