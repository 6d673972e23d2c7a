"""What is recorded of a finished picture, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from synth.core import Target
from synth.measurement import judged, summary
from synth.networks.classes import Classes

CLASSES = Classes(["goldfish, Carassius auratus", "lemon", "teapot"])
SCORES = torch.tensor([math.log(6.0), math.log(3.0), 0.0])  # probabilities 0.6, 0.3, 0.1


@pytest.mark.parametrize(
    ("index", "until", "success"),
    [(0, None, True), (0, 0.59, True), (0, 0.61, False), (1, None, False), (1, 0.2, False)],
)
def test_success_is_being_predicted_and_sure_enough(index: int, until: float | None, success: bool) -> None:
    item = judged(SCORES, Target("it", index), CLASSES, until, watch=[0.6, 0.3, 0.1][index])
    assert item["predicted"] == "goldfish"
    assert item["predicted_index"] == 0
    assert item["confidence"] == pytest.approx([0.6, 0.3, 0.1][index], abs=1e-6)
    assert item["success"] is success


@pytest.mark.parametrize(
    ("index", "until", "watch", "success"),
    [(0, None, -0.7, False), (1, None, 0.7, True), (1, 0.0, 0.7, True), (1, 0.8, 0.7, False), (0, -1.0, -0.7, False)],
)
def test_away_from_a_class_any_other_will_do(index: int, until: float | None, watch: float, success: bool) -> None:
    target = Target(f"not {CLASSES.label(index)}", index, away=True)
    item = judged(SCORES, target, CLASSES, until, watch)
    assert item["predicted"] == "goldfish"
    assert item["confidence"] == pytest.approx([0.4, 0.7, 0.9][index], abs=1e-6)  # of all other classes together
    assert item["success"] is success


def test_without_a_class_the_watched_number_decides() -> None:
    for target in (None, Target("conv5:3")):
        assert judged(SCORES, target, CLASSES, None, 2.0)["success"] is None
        assert judged(SCORES, target, CLASSES, 2.0, 2.0)["success"] is True
        assert judged(SCORES, target, CLASSES, 2.1, 2.0)["success"] is False
        assert judged(SCORES, target, CLASSES, None, 2.0)["confidence"] is None


def test_a_summary() -> None:
    items = [
        {"confidence": confidence, "success": confidence > 0.5, "forwards": 3, "backwards": 2}
        for confidence in (0.2, 0.9, 0.7, 0.6)
    ]
    assert summary(items) == {
        "success": 3, "items": 4, "mean_confidence": 0.6, "median_confidence": 0.65, "forwards": 12, "backwards": 8,
    }  # fmt: skip
    unit = {"confidence": None, "success": None, "forwards": 3, "backwards": 2}  # no class, and no value to reach
    assert summary([unit, unit]) == {
        "success": None, "items": 2, "mean_confidence": None, "median_confidence": None, "forwards": 6, "backwards": 4,
    }  # fmt: skip
