"""The size of successful adversarial perturbations: median L2 and L-infinity norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from synth.core import Rows
from synth.encodings.perturbation import Perturbation
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.engine.verdict import is_hit
from synth.errors import InputError
from synth.networks import reading
from synth.record.result import Json


class Distances(Metric):
    """Medians over the successes: `median_l2`, `median_linf` of the saved images, pixels in [0, 1].

    Where the search may use more than the 256 levels of a file (``encoding.levels=false``) also the
    same before rounding: `unrounded_success` counts the unrounded images that meet their target,
    `unrounded_median_l2` and `unrounded_median_linf` are over these, and each item has
    `unrounded_l2` and `unrounded_linf`, None where it is not one of them. Items whose clean image
    meets the target already are not counted. A median over no success is None.
    """

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if problem.encoding.originals(rows) is None:
            raise InputError(
                "metrics: distances are those to a picture; write encoding=perturbation and "
                "image=PATH."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        successes = [item for item in outcome.items if item.success]
        findings: dict[str, Json] = {
            "median_l2": _median([item.l2 for item in successes]),
            "median_linf": _median([item.linf for item in successes]),
        }
        encoding = outcome.problem.encoding
        if not (isinstance(encoding, Perturbation) and encoding.levels):
            findings |= _unrounded(outcome)
        return findings


def _unrounded(outcome: Outcome) -> dict[str, Json]:
    """The norms of the images as the search evaluated them, before they were rounded to 8 bits."""
    problem, rows = outcome.problem, outcome.rows
    originals = problem.encoding.originals(rows)
    assert originals is not None
    images = problem.images(outcome.state.genome, rows)
    difference = images - originals.repeat_interleave(len(images) // len(originals), 0)
    l2 = difference.flatten(1).norm(dim=1).tolist()
    linf = difference.flatten(1).abs().amax(1).tolist()
    logits = reading.logits(problem.network, images)
    targets = problem.objective.target(rows.repeat(len(images) // len(rows)))
    hits = [
        place
        for place, item in enumerate(outcome.items)
        if is_hit(logits[place], targets[place]) and not item.already
    ]
    for place, item in enumerate(outcome.items):
        item.extra["unrounded_l2"] = round(l2[place], 6) if place in hits else None
        item.extra["unrounded_linf"] = round(linf[place], 6) if place in hits else None
    return {
        "unrounded_success": len(hits),
        "unrounded_median_l2": _median([round(l2[place], 6) for place in hits]),
        "unrounded_median_linf": _median([round(linf[place], 6) for place in hits]),
    }


def _median(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return round(median(numbers), 6) if numbers else None
