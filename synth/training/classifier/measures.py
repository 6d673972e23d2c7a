"""Takes logits and labels; gives what a classifier is judged by: accuracy, cross-entropy, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15


@dataclass(frozen=True)
class Measures:
    """Means over pictures: `top1`, `top5`, `confidence`, `calibration_error` in [0, 1], `loss` in nats."""

    top1: float
    top5: float
    loss: float
    confidence: float
    calibration_error: float


def measure(logits: Tensor, labels: Tensor) -> Measures:
    """Measures `logits` ``[n, classes]`` against `labels` int64 ``[n]``; up to five classes give top5 = 1."""
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    hits = best == labels[:, None]
    confidence = logits.softmax(1).amax(1)
    return Measures(
        top1=hits[:, 0].double().mean().item(),
        top5=hits.any(1).double().mean().item(),
        loss=functional.cross_entropy(logits, labels).item(),
        confidence=confidence.mean().item(),
        calibration_error=calibration_error(confidence, hits[:, 0]),
    )


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3): the mean gap of confidence and accuracy.

    The pictures go into `bins` equal intervals of confidence, open below and closed above; the gaps
    ``|accuracy - mean confidence|`` of the intervals are weighted by how many pictures each holds.

    Args:
        confidence: the probability given to the predicted class, ``[n]`` in [0, 1].
        correct: whether that class was right, bool ``[n]``.
    """
    place = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    surplus = torch.zeros(bins, dtype=torch.float64, device=confidence.device)
    surplus.index_add_(0, place, confidence.double() - correct.double())
    return (surplus.abs().sum() / len(confidence)).item()
