"""Classification metrics against counts done by hand."""

from __future__ import annotations

import math

import pytest
import torch

from synth.training.classifier.metrics import calibration_error, measure_classification


def test_calibration_error_by_hand() -> None:
    """The differences of three bins, weighted by their pictures."""
    confidence = torch.tensor([0.94, 0.60, 0.97, 0.62])
    correct = torch.tensor([True, True, False, True])
    # 0.94 and 0.97 lie in (14/15, 1], 0.60 = 9/15 in (8/15, 9/15], 0.62 in (9/15, 10/15]
    by_hand = (abs(0.94 + 0.97 - 1) + abs(0.60 - 1) + abs(0.62 - 1)) / 4
    assert calibration_error(confidence, correct) == pytest.approx(by_hand, abs=1e-6)


def test_calibration_where_confidence_is_one() -> None:
    assert calibration_error(torch.ones(10), torch.ones(10, dtype=torch.bool)) == 0
    assert calibration_error(torch.ones(10), torch.zeros(10, dtype=torch.bool)) == 1


def test_the_metrics_of_four_pictures() -> None:
    logits = torch.tensor([[9.0, 8, 7, 6, 5, 4]] * 4)
    metrics = measure_classification(logits, torch.tensor([0, 0, 4, 5]))
    assert metrics.top1 == 0.5
    assert metrics.top5 == 0.75
    terms = [math.exp(-k) for k in range(6)]
    assert metrics.confidence == pytest.approx(1 / sum(terms), abs=1e-6)
    assert metrics.loss == pytest.approx(math.log(sum(terms)) + (0 + 0 + 4 + 5) / 4, abs=1e-5)
    assert metrics.calibration_error == pytest.approx(metrics.confidence - 0.5, abs=1e-6)


def test_with_three_classes_everything_is_in_the_top_five() -> None:
    assert measure_classification(torch.rand(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])).top5 == 1


def test_logits_that_are_no_numbers_are_not_right() -> None:
    logits = torch.tensor([[torch.nan, 0.0], [2.0, 0.0]])
    metrics = measure_classification(logits, torch.tensor([0, 0]))
    assert metrics.top1 == metrics.top5 == 0.5
