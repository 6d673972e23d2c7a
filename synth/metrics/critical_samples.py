"""Takes a search around each of many pictures; gives the share of those with another label close by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synth.core import Rows
from synth.encodings.perturbation import Perturbation
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading


class CriticalSamples(Metric):
    """`critical_sample_ratio`: the share of pictures with a critical sample within `radius` (Arpit et al. 2017).

    A picture has one where the search found a picture in the ball that the network labels differently than the
    original, whatever the truth is: so says the network of what the search saw, in floating point, as radii may be
    below one of the 256 levels of a file. Each item has `critical`, and where the encoding allows such
    (``encoding.eight_bit=false``) its `success` is that too, for a file cannot tell. The ratio is a lower bound: a better
    search can only find more.
    """

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        encoding = problem.encoding
        if not isinstance(encoding, Perturbation):
            raise InputError(
                "metrics: critical samples lie around pictures; write encoding=perturbation, image=PATH."
            )
        if encoding.epsilon is None:
            raise InputError(
                "encoding.epsilon=null: critical samples lie within a radius; write one, 0.3/255 is 0.00118."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        problem, rows = outcome.problem, outcome.rows
        encoding = problem.encoding
        assert isinstance(encoding, Perturbation)
        before = reading.logits(problem.network, encoding.originals(rows)).argmax(1)
        after = reading.logits(problem.network, problem.images(outcome.course.genome, rows)).argmax(1)
        critical = (before != after).tolist()
        for item, found in zip(outcome.items, critical, strict=True):
            item["critical"] = found
            if not encoding.eight_bit:
                item["success"] = found
        counted = {} if encoding.eight_bit else {"success": sum(critical)}
        ratio = round(sum(critical) / len(critical), 6)
        assert encoding.epsilon is not None
        return {"critical_sample_ratio": ratio, "radius": round(encoding.epsilon, 8), **counted}
