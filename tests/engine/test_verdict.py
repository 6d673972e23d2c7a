"""What is recorded of a finished picture, against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from small_worlds import rows_of
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Readout, Target
from synth.core.classes import Classes
from synth.core.network import Network
from synth.engine.verdict import BATCH, evaluate_images, is_hit, judge, summary
from synth.networks import bundled, reading
from synth.objectives.scores import Channel

pytest_plugins = "console_fixtures"

CLASSES = Classes(["goldfish, Carassius auratus", "lemon", "teapot"])
SCORES = torch.tensor([math.log(6.0), math.log(3.0), 0.0])  # probabilities 0.6, 0.3, 0.1


@pytest.mark.parametrize(
    ("index", "until", "success"),
    [(0, None, True), (0, 0.59, True), (0, 0.61, False), (1, None, False), (1, 0.2, False)],
)
def test_success_is_being_predicted_and_sure_enough(
    index: int, until: float | None, success: bool
) -> None:
    item = judge(SCORES, Target("it", index), CLASSES, until, monitor=[0.6, 0.3, 0.1][index])
    assert item["predicted"] == "goldfish"
    assert item["predicted_index"] == 0
    assert item["confidence"] == pytest.approx([0.6, 0.3, 0.1][index], abs=1e-6)
    assert item["success"] is success


@pytest.mark.parametrize(
    ("index", "until", "monitor", "success"),
    [
        (0, None, -0.7, False),
        (1, None, 0.7, True),
        (1, 0.0, 0.7, True),
        (1, 0.8, 0.7, False),
        (0, -1.0, -0.7, False),
    ],
)
def test_away_from_a_class_any_other_will_do(
    index: int, until: float | None, monitor: float, success: bool
) -> None:
    target = Target(f"not {CLASSES.label(index)}", index, untargeted=True)
    item = judge(SCORES, target, CLASSES, until, monitor)
    assert item["predicted"] == "goldfish"
    assert item["confidence"] == pytest.approx(
        [0.4, 0.7, 0.9][index], abs=1e-6
    )  # of all other classes together
    assert item["success"] is success


def test_without_a_class_the_watched_number_decides() -> None:
    for target in (None, Target("conv5:3")):
        assert judge(SCORES, target, CLASSES, None, 2.0)["success"] is None
        assert judge(SCORES, target, CLASSES, 2.0, 2.0)["success"] is True
        assert judge(SCORES, target, CLASSES, 2.1, 2.0)["success"] is False
        assert judge(SCORES, target, CLASSES, None, 2.0)["confidence"] is None


def test_a_summary() -> None:
    items = [
        {"confidence": confidence, "success": confidence > 0.5, "forwards": 3, "backwards": 2}
        for confidence in (0.2, 0.9, 0.7, 0.6)
    ]
    assert summary(items) == {
        "success": 3, "items": 4, "mean_confidence": 0.6, "median_confidence": 0.65, "forwards": 12, "backwards": 8,
    }  # fmt: skip
    unit = {
        "confidence": None,
        "success": None,
        "forwards": 3,
        "backwards": 2,
    }  # no class, and no value to reach
    assert summary([unit, unit]) == {
        "success": None, "items": 2, "mean_confidence": None, "median_confidence": None, "forwards": 6, "backwards": 4,
    }  # fmt: skip


@pytest.fixture(scope="module")
def box(weights: Path) -> Network:
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


@pytest.mark.parametrize("size", [(64, 64), (96, 96), (40, 72)])
def test_pictures_of_any_size_are_judged_at_the_size_of_the_network(
    size: tuple[int, int], box: Network
) -> None:
    """What is watched is read from the picture as it is, at a layer that takes it."""
    rows = rows_of(3)
    images = rows.uniform(3, *size)
    scores, monitored = evaluate_images(box, Channel("relu4", 2).bind(box), images, rows)
    fitted = images
    if size != (64, 64):
        fitted = functional.interpolate(images, (64, 64), mode="bicubic", antialias=True).clamp(
            0, 1
        )
    torch.testing.assert_close(scores, box(fitted), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(reading.logits(box, images), box(fitted), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        monitored, box.read(images, ["relu4"])["relu4"][:, 2].mean((1, 2)), atol=1e-6, rtol=1e-5
    )


class _Sources(BoundObjective):
    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"source": 100.0 * readout.picture_index[:, None] + readout.rows.item[:, None]}


def test_every_picture_of_a_long_run_keeps_its_item_and_its_source(network: Network) -> None:
    count = BATCH + 3
    rows, images = (
        rows_of(count),
        torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0)),
    )
    item = torch.arange(count)
    scores, monitored = evaluate_images(network, _Sources(), images, rows, source=item.flip(0))
    assert torch.equal(monitored, 100.0 * item.flip(0) + item)
    torch.testing.assert_close(scores, network(images), atol=1e-5, rtol=1e-5)
    assert torch.equal(evaluate_images(network, _Sources(), images, rows)[1], 101.0 * item)


def test_a_target_is_met_by_the_class_or_by_any_other() -> None:
    assert [is_hit(SCORES, Target("it", index)) for index in range(3)] == [True, False, False]
    assert [is_hit(SCORES, Target("not it", index, untargeted=True)) for index in range(3)] == [
        False,
        True,
        True,
    ]
    assert not is_hit(SCORES, None)
    assert not is_hit(SCORES, Target("conv1:2"))
