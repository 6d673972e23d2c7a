"""Checks that several searches share."""

from __future__ import annotations

from synth.core import Problem
from synth.errors import InputError


def check_differentiable(problem: Problem, name: str) -> None:
    """Raise InputError where `problem` has no gradient for the search called `name`."""
    if not problem.differentiable:
        raise InputError(
            f"search={name}: this encoding has no gradient; use search=genetic, or another "
            "encoding."
        )
