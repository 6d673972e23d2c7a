"""Metrics of a classifier: top-1 and top-5 accuracy, cross-entropy, expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synth.core.prediction import NO_CLASS, predictions

BINS = 15  # intervals of confidence, as in Guo et al. 2017


@dataclass(frozen=True)
class ClassificationMetrics:
    """Means over the pictures of a data set.

    Attributes:
        top1: accuracy in [0, 1].
        top5: fraction whose label is among the five largest logits, in [0, 1].
        loss: cross-entropy in nats.
        confidence: probability of the predicted class, in [0, 1].
        calibration_error: expected calibration error, in [0, 1].
    """

    top1: float
    top5: float
    loss: float
    confidence: float
    calibration_error: float


def measure_classification(logits: Tensor, labels: Tensor) -> ClassificationMetrics:
    """Compares predictions with labels.

    Args:
        logits: ``[n, classes]``; with up to five classes top5 is 1.
        labels: int64 ``[n]``.
    """
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    hits = (best == labels[:, None]) & (predictions(logits) != NO_CLASS)[:, None]
    confidence = logits.softmax(1).amax(1)
    return ClassificationMetrics(
        top1=hits[:, 0].double().mean().item(),
        top5=hits.any(1).double().mean().item(),
        loss=functional.cross_entropy(logits, labels).item(),
        confidence=confidence.mean().item(),
        calibration_error=calibration_error(confidence, hits[:, 0]),
    )


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = BINS) -> float:
    """Expected calibration error: the mean difference of confidence and accuracy.

    The pictures go into `bins` equal intervals of confidence, open below and closed above; the
    differences ``|accuracy - mean confidence|`` of the intervals are weighted by the number of
    pictures in each.

    Source: Guo et al. 2017, equation 3.

    Args:
        confidence: probability of the predicted class, ``[n]`` in [0, 1].
        correct: whether the prediction is right, bool ``[n]``.
        bins: number of intervals.
    """
    place = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    surplus = torch.zeros(bins, dtype=torch.float64, device=confidence.device)
    surplus.index_add_(0, place, confidence.double() - correct.double())
    return (surplus.abs().sum() / len(confidence)).item()
