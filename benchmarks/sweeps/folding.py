"""Folded against one by one: a target a point, mini AlexNet, processor time of one thread."""

from __future__ import annotations

import os

from benchmarks.sweeps._commands import left, own_folder, seconds_of, successes

POINTS = int(os.environ.get("SYNTH_POINTS", "100"))
WORDS = "-m", "recipe=fooling_gradient", "until=null", "search.steps=128"
SMALL = "-m", "recipe=fooling_gradient", "search.steps=16", "exact=true", "target=range(0,8)"


def rows() -> list[tuple[str, str]]:
    """Pictures a second and successes of both, and whether exact pictures are the same."""
    words = *WORDS, f"target=range(0,{POINTS})"
    with own_folder():
        seconds_of(*WORDS, "target=0,1", "sweep=warm")
        folded = seconds_of(*words, "sweep=folded")
        alone = seconds_of(*words, "sweep=alone", "fold=false")
        seconds_of(*SMALL, "seed=0,1", "sweep=exact_folded")
        seconds_of(*SMALL, "seed=0,1", "sweep=exact_alone", "fold=false")
        same = left("exact_folded") == left("exact_alone")
        return [
            (
                f"{POINTS} targets, 128 steps, one by one",
                f"{POINTS / alone:.2f} pictures a second, {successes('alone')} reached",
            ),
            (
                "the same folded",
                f"{POINTS / folded:.2f} pictures a second, {successes('folded')} reached: "
                f"{alone / folded:.1f} times",
            ),
            ("16 points under exact=true: all files the same but for times", str(same)),
        ]
