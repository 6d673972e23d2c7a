"""Takes pictures that were changed; gives how far the successes among them lie from what they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from synth.core import Rows
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.engine.verdict import is_hit
from synth.errors import InputError
from synth.networks import reading


class Distances(Metric):
    """Medians over the successes: `median_l2` and `median_linf` of the saved pictures, in units of [0, 1].

    Where the search may use more than the 256 levels of a file (``encoding.levels=false``) the same of what it saw
    itself: `unrounded_success`, how many of those pictures are seen as wanted, `unrounded_median_l2` and
    `unrounded_median_linf`; and each item has `unrounded_l2` and `unrounded_linf`, None where it is none of them. An
    item that was seen as wanted before anything was done is not counted. None where there was no success.
    """

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if problem.encoding.originals(rows) is None:
            raise InputError(
                "metrics: distances are those to a picture; write encoding=perturbation and image=PATH."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        wins = [item for item in outcome.items if item["success"]]
        found = {
            f"median_{norm}": _median([item[norm] for item in wins]) for norm in ("l2", "linf")
        }
        if not getattr(outcome.problem.encoding, "levels", False):
            found |= self._unrounded(outcome)
        return found

    def _unrounded(self, outcome: Outcome) -> dict[str, Any]:
        problem, rows = outcome.problem, outcome.rows
        originals = problem.encoding.originals(rows)
        assert originals is not None
        images = problem.images(outcome.course.genome, rows)
        rows = rows.repeat(len(images) // len(rows))
        away = images - originals.repeat_interleave(len(images) // len(originals), 0)
        scores, targets = reading.logits(problem.network, images), problem.objective.target(rows)
        lengths = {
            "l2": away.flatten(1).norm(dim=1).tolist(),
            "linf": away.flatten(1).abs().amax(1).tolist(),
        }
        wins = []
        for place, item in enumerate(outcome.items):
            won = is_hit(scores[place], targets[place]) and not item.get("already")
            for norm, values in lengths.items():
                item[f"unrounded_{norm}"] = round(values[place], 6) if won else None
            if won:
                wins.append(item)
        medians = {
            f"unrounded_median_{n}": _median([item[f"unrounded_{n}"] for item in wins])
            for n in lengths
        }
        return {"unrounded_success": len(wins), **medians}


def _median(values: list[float]) -> float | None:
    return round(median(values), 6) if values else None
