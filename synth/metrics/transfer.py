"""What a second network says of the saved images, which no search has read."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import torch

from synth import data
from synth.core import Rows
from synth.core.network import Network
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading
from synth.record.result import Json


class Transfer(Metric):
    """How often, and how surely, a second network predicts the target class of a saved image.

    Findings: `transfer`, the share of images for which it does; `transfer_confidence`, the mean
    probability that it gives the target class. Only classes that both networks have are counted.

    Args:
        network: the second network; images are scaled to its size.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if self.network.sha256 == problem.network.sha256:
            raise InputError(
                f"metrics: {self.network.name} is the network that is searched with, and no second "
                "one; write another as the network of the metric."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        own = outcome.problem.network.classes
        hits, confidences = [], []
        for item in outcome.items:
            if item.file is None or item.target_index is None:
                continue
            index = own.counterpart(item.target_index, self.network.classes)
            if index is None:
                continue
            image = outcome.record.read_back(str(item.file))[None].to(self.network.device)
            logits = reading.logits(self.network, data.fitted(image, self.network.size))[0]
            hits.append(int(logits.argmax()) == index)
            confidences.append(float(torch.softmax(logits, 0)[index]))
        if not hits:
            return {}
        return {
            "transfer": round(fmean(hits), 6),
            "transfer_confidence": round(fmean(confidences), 6),
        }
