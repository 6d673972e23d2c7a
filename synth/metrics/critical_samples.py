"""The critical sample ratio: how many pictures of a data set have another label close by."""

from __future__ import annotations

from collections.abc import Mapping

from synth.core import Rows
from synth.core.prediction import differ, predictions
from synth.encodings.perturbation import Perturbation
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading
from synth.record.result import Json


class CriticalSamples(Metric):
    """`critical_sample_ratio`: the share of pictures with a critical sample within `radius`.

    A picture has one where the search found an image in the L-infinity ball around it that the
    network labels differently, whatever the true label is. The image counts as the search evaluated
    it, in floating point, since radii may be below one of the 256 levels of a file. Each item has
    `critical`; where the encoding allows such small changes (``encoding.eight_bit=false``) its
    `success` is that too. The ratio is a lower bound: a better search can only find more.

    Source: Arpit et al. 2017, "A closer look at memorization in deep networks", section 3.
    """

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        encoding = problem.encoding
        if not isinstance(encoding, Perturbation):
            raise InputError(
                "metrics: critical samples lie around pictures; write encoding=perturbation, "
                "image=PATH."
            )
        if encoding.epsilon is None:
            raise InputError(
                "encoding.epsilon=null: critical samples lie within a radius; write one, 0.3/255 "
                "is 0.00118."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        problem, rows = outcome.problem, outcome.rows
        encoding = problem.encoding
        assert isinstance(encoding, Perturbation)
        assert encoding.epsilon is not None
        images = problem.images(outcome.state.genome, rows)
        originals = encoding.originals(rows)
        clean_labels = predictions(reading.logits(problem.network, originals, cached=True))
        labels = predictions(reading.logits(problem.network, images))
        critical = differ(clean_labels, labels).tolist()
        for item, is_critical in zip(outcome.items, critical, strict=True):
            item.extra["critical"] = is_critical
            if not encoding.eight_bit:
                item.success = is_critical
                self.criterion = "another class is predicted within the radius, in floating point"
        findings: dict[str, Json] = {
            "critical_sample_ratio": round(sum(critical) / len(critical), 6),
            "radius": round(encoding.epsilon, 8),
        }
        if not encoding.eight_bit:
            findings["success"] = sum(critical)
        return findings
