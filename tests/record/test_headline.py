"""The line that says what a run was for, of results of each kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synth.record.headline import headline
from synth.record.result import Item, Result

FOOLED = Item(
    target="not giant panda",
    success=True,
    original_predicted="giant panda",
    original_confidence=0.9899,
    predicted="gibbon",
    predicted_confidence=0.671,
    l2=1.25,
    linf=0.0078,
)
LEMON = Item(target="lemon", success=True, predicted="lemon", confidence=0.9912)
RATES = {"pictures_heldout": 100, "pictures_train": 400, "random_signs": 0.28}


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (
            Result("done", findings={**RATES, "fooling_rate_heldout": 0.784}),
            "fooled 0.784 of 100 held-out pictures, random signs 0.28",
        ),
        (
            Result("done", findings={**RATES, "fooling_rate_train": 0.9, "random_signs": 0.0}),
            "fooled 0.9 of the 400 pictures it was made from, random signs 0",
        ),
        (Result("done", items=[FOOLED]), "giant panda 99 % -> gibbon 67.1 %"),
        (
            Result("done", items=[FOOLED, FOOLED, replace(FOOLED, success=False, l2=9.0)]),
            "2 of 3 reached their target, median L2 1.25, L-infinity 0.0078",
        ),
        (Result("done", items=[replace(FOOLED, success=None, already=True)]), "1 already there"),
        (Result("done", items=[LEMON]), "lemon 99.1 %"),
        (
            Result("done", items=[replace(LEMON, success=False)]),
            "lemon 99.1 %, which is short of its goal",
        ),
        (
            Result("done", items=[replace(LEMON, success=False, predicted="bell", confidence=0.1)]),
            "lemon 10 %, predicted bell",
        ),
        (Result("done", items=[LEMON, LEMON]), "2 of 2 reached their target, mean confidence 99.1"),
        (
            Result("done", items=[Item(target=f"conv5:{unit}", score=unit) for unit in range(6)]),
            "score: conv5:0 0, conv5:1 1, conv5:2 2, conv5:3 3, ...",
        ),
        (
            Result("done", contenders={"a": {"success": 3, "items": 8}, "b": {"success": None}}),
            "reached their target: a 3 of 8",
        ),
        (Result("done", findings={"top1": 0.5, "top5": 0.75}), "top-1 accuracy 0.5, top-5 0.75"),
        (
            Result("done", findings={"own_number": 3.14159, "flag": True, "many": 12345}),
            "own number 3.14, many 12,345",
        ),
        (Result("interrupted", items=[LEMON]), ""),
        (Result("done"), ""),
    ],
)
def test_what_a_run_was_for(result: Result, line: str) -> None:
    assert headline(result).startswith(line)
    assert bool(headline(result)) == bool(line)
