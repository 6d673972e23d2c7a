"""Predicted classes of logits that are numbers, and of logits that are not."""

from __future__ import annotations

import torch

from synth.core.classes import Classes
from synth.core.prediction import NO_CLASS, differ, label, predictions

NAN, INF = torch.nan, torch.inf


def test_the_largest_logit_is_predicted_and_nothing_where_there_is_none() -> None:
    logits = torch.tensor(
        [
            [0.0, 3.0, 1.0],
            [-INF, 0.0, -INF],  # a probability of 1
            [3e38, -3e38, 0.0],
            [0.0, NAN, 1.0],
            [NAN, NAN, NAN],
            [INF, 0.0, 0.0],
            [-INF, -INF, -INF],
        ]
    )
    expected = torch.tensor([1, 1, 0, *[NO_CLASS] * 4])
    assert torch.equal(predictions(logits), expected)
    assert [int(predictions(row)) for row in logits] == expected.tolist()


def test_no_class_is_neither_another_class_nor_has_it_a_name() -> None:
    before, after = torch.tensor([0, 0, 0, NO_CLASS]), torch.tensor([0, 1, NO_CLASS, 1])
    assert differ(before, after).tolist() == [False, True, False, False]
    classes = Classes(["goldfish, Carassius auratus", "lemon"])
    assert [label(classes, index) for index in (0, 1, NO_CLASS)] == ["goldfish", "lemon", None]
