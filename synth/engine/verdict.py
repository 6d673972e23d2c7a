"""Takes pictures as they were saved; gives what the network says of each, and what a whole run amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Images, Readout, Rows, Target
from synth.core.classes import Classes
from synth.core.network import OUTPUT, Network
from synth.engine.fitness import own, total

BATCH = 64


def evaluate_images(
    network: Network,
    monitor: BoundObjective,
    images: Images,
    rows: Rows,
    source: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scores before the softmax, [n, classes], and the watched number, [n], of pictures [n, 3, h, w]: one pass each.

    Where the network cannot read pictures of that size to its end, the scores are those of the picture at the
    network's own size.
    """
    whole = network.reads((images.shape[2], images.shape[3]))
    layers = dict.fromkeys((OUTPUT, *monitor.layers) if whole else monitor.layers)
    scores, monitored = [], []
    with torch.inference_mode():
        for first in range(0, len(images), BATCH):
            part = slice(first, first + BATCH)
            activations = network.read(images[part], layers)
            scores.append(
                activations[OUTPUT] if whole else network(data.fitted(images[part], network.size))
            )
            who = rows.select(part)
            readout = Readout(
                activations, images[part], who, None if source is None else source[part]
            )
            monitored.append(own(total(monitor(readout)), who))
    return torch.cat(scores), torch.cat(monitored)


def logits_of(network: Network, images: Images) -> Tensor:
    """Scores before the softmax, [n, classes], of pictures [n, 3, h, w], at the network's size where it needs that."""
    whole = network.reads((images.shape[2], images.shape[3]))
    return network.scores(
        part if whole else data.fitted(part, network.size) for part in images.split(BATCH)
    )


def is_hit(scores: Tensor, target: Target | None) -> bool:
    """Whether `scores` [classes] are those of a picture that is seen as `target` wants it; False where it is none."""
    if target is None or target.index is None:
        return False
    return (int(scores.argmax()) == target.index) != target.untargeted


def judge(
    scores: Tensor, target: Target | None, classes: Classes, until: float | None, monitor: float
) -> dict[str, Any]:
    """What is recorded of one picture from its `scores` [classes] and its watched number `monitor`.

    Success means that the target is predicted, where it is a class, and that the watched number, a confidence
    as a rule, has reached `until`; where there is neither a class nor an `until` it means nothing, and is None.
    Confidence is the probability of the target, so of ``not goldfish`` that of all other classes together: it
    lies above one half where that target is met, and higher is better, as everywhere.
    """
    best = int(scores.argmax())
    item: dict[str, Any] = {
        "predicted": classes.label(best),
        "predicted_index": best,
        "confidence": None,
    }
    reached = (
        until is None or round(monitor, 6) >= until
    )  # as many places as the confidence has in the record
    if target is None or target.index is None:
        return item | {"success": None if until is None else reached}
    probability = float(scores.softmax(0)[target.index])
    if target.untargeted:
        probability = 1.0 - probability
    return item | {
        "confidence": round(probability, 6),
        "success": is_hit(scores, target) and reached,
    }


def summary(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Passes over all items; successes and confidences over those that can have them, None where none can.

    Where items set out from pictures, `already` of them were as wanted before anything was done, and are not among
    the `counted`.
    """
    confidences = [item["confidence"] for item in items if item["confidence"] is not None]
    judged = [item["success"] for item in items if item["success"] is not None]
    found: dict[str, Any] = {"success": sum(judged) if judged else None, "items": len(items)}
    if judged and any("original_predicted" in item for item in items):
        found |= {
            "counted": len(judged),
            "already": sum(bool(item.get("already")) for item in items),
        }
    return found | {
        "mean_confidence": round(fmean(confidences), 6) if confidences else None,
        "median_confidence": round(median(confidences), 6) if confidences else None,
        "forwards": sum(item["forwards"] for item in items),
        "backwards": sum(item["backwards"] for item in items),
    }
