"""Runs that are cut short at a chosen step; the fixture `often` makes them save after every one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synth.experiment import Experiment


def at_step(made: Experiment, number: int, act: Callable[[], Any]) -> Experiment:
    """`act` happens before step `number` of the search is taken."""
    usual = made.search.step

    def step(problem: Any, rows: Any, state: Any, now: int) -> Any:
        if now == number:
            act()
        return usual(problem, rows, state, now)

    made.search.step = step  # type: ignore[method-assign]
    return made
