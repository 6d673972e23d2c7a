"""Predictions for saved images: logits, success and confidence, and the summary of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import torch
from torch import Tensor

from synth import data
from synth.core import BoundObjective, Images, Readout, Rows, Target
from synth.core.classes import Classes
from synth.core.network import OUTPUT, Network
from synth.core.prediction import NO_CLASS, label, predictions
from synth.engine.fitness import own, total
from synth.record.result import Item, Json

BATCH = 64


@dataclass(frozen=True)
class Verdict:
    """The prediction for one image.

    Attributes:
        predicted: name of the class with the largest logit; None where the network answers NaN.
        predicted_index: its index.
        predicted_confidence: its probability.
        confidence: probability of the target class; for an untargeted item, of all other classes
            together, so that it is above one half where that target is met. None without a class,
            and where the network answers NaN.
        success: see `judge`; None where neither a class nor `until` is set.
    """

    predicted: str | None
    predicted_index: int | None
    predicted_confidence: float | None
    confidence: float | None
    success: bool | None


def evaluate_images(
    network: Network,
    monitor: BoundObjective,
    images: Images,
    rows: Rows,
    picture_index: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Logits and monitored values of finished images, in one forward pass each.

    Where the network cannot read images of that size to its end, the logits are those of the images
    scaled to the network's own size.

    Args:
        network: the classifier.
        monitor: the monitored objective.
        images: [n, 3, h, w].
        rows: [n], which item each image belongs to.
        picture_index: int64 [n], which picture of the encoding each was made from.

    Returns:
        Logits [n, classes] and monitored values [n].
    """
    readable = network.reads((images.shape[2], images.shape[3]))
    layers = tuple(dict.fromkeys((OUTPUT, *monitor.layers) if readable else monitor.layers))
    logits, values = [], []
    with torch.inference_mode():
        for first in range(0, len(images), BATCH):
            part = slice(first, first + BATCH)
            activations = network.read(images[part], layers)
            if readable:
                logits.append(activations[OUTPUT])
            else:
                logits.append(network(data.fitted(images[part], network.size)))
            part_rows = rows.select(part)
            index = None if picture_index is None else picture_index[part]
            readout = Readout(activations, images[part], part_rows, index)
            values.append(own(total(monitor(readout)), part_rows))
    return torch.cat(logits), torch.cat(values)


def is_hit(logits: Tensor, target: Target | None) -> bool:
    """Whether the prediction from `logits` [classes] meets `target`; False without a class."""
    best = int(predictions(logits))
    if target is None or target.index is None or best == NO_CLASS:
        return False
    return (best == target.index) != target.untargeted


def judge(
    logits: Tensor, target: Target | None, classes: Classes, until: float | None, monitor: float
) -> Verdict:
    """The verdict on one image.

    Success means that the target class is predicted, where there is one, and that the monitored
    value has reached `until`, where one is set; it is None where there is neither.

    Args:
        logits: [classes], of the saved image.
        target: of the search; None where there is none.
        classes: of the network.
        until: the value that the monitored objective has to reach.
        monitor: its value on the saved image.
    """
    index = int(predictions(logits))
    best = None if index == NO_CLASS else index
    name = label(classes, index)
    # compared with as many digits as the record keeps
    reached = until is None or round(monitor, 6) >= until
    probabilities = logits.softmax(0)
    own = None if best is None else round(float(probabilities[best]), 6)
    if target is None or target.index is None:
        return Verdict(name, best, own, None, None if until is None else reached)
    if best is None:
        return Verdict(None, None, None, None, False)
    probability = float(probabilities[target.index])
    if target.untargeted:
        probability = 1.0 - probability
    success = is_hit(logits, target) and reached
    return Verdict(name, best, own, round(probability, 6), success)


def criterion(
    targets: Sequence[Target | None], until: float | None, reach: tuple[float, float]
) -> str | None:
    """What counts as success in a run, in words; None where nothing does. See `judge`.

    Args:
        targets: of the items.
        until: the value that the monitored objective has to reach.
        reach: the range of that objective.
    """
    untargeted = {target.untargeted for target in targets if target and target.index is not None}
    words = {
        True: "another class than the true one is predicted for the saved file",
        False: "the target class is predicted for the saved file",
    }
    parts = [words[kind] for kind in sorted(untargeted)]
    score = "a probability" if reach == (0.0, 1.0) else "a monitored score"
    more = [f"with {score} of at least {until:g}"] if until is not None else []
    if untargeted and until == 0 and reach == (-math.inf, math.inf):
        more = []  # a margin, which says the same
    return " ".join([" or ".join(parts), *more]).strip() or None


def summary(items: Sequence[Item]) -> dict[str, Json]:
    """The findings that every search has: successes, confidences, network passes.

    `success`, `mean_confidence` and `median_confidence` are over the items that can have them, None
    where none can. Where items start from clean images, `already` counts those that met the target
    before the search; they are not among the `counted`.
    """
    confidences = [item.confidence for item in items if item.confidence is not None]
    successes = [item.success for item in items if item.success is not None]
    findings: dict[str, Json] = {
        "success": sum(successes) if successes else None,
        "items": len(items),
    }
    if successes and any(item.original_predicted is not None for item in items):
        findings["counted"] = len(successes)
        findings["already"] = sum(bool(item.already) for item in items)
    return findings | {
        "mean_confidence": round(fmean(confidences), 6) if confidences else None,
        "median_confidence": round(median(confidences), 6) if confidences else None,
        "forwards": sum(item.forwards or 0 for item in items),
        "backwards": sum(item.backwards or 0 for item in items),
    }
