"""Predictions, success and confidence of saved images, against numbers by hand."""

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
from synth.record.result import Item

pytest_plugins = "console_fixtures"

CLASSES = Classes(["goldfish, Carassius auratus", "lemon", "teapot"])
SCORES = torch.tensor([math.log(6.0), math.log(3.0), 0.0])  # probabilities 0.6, 0.3, 0.1


@pytest.mark.parametrize(
    ("index", "until", "success"),
    [(0, None, True), (0, 0.59, True), (0, 0.61, False), (1, None, False), (1, 0.2, False)],
)
def test_success_needs_the_prediction_and_until(
    index: int, until: float | None, success: bool
) -> None:
    verdict = judge(SCORES, Target("it", index), CLASSES, until, monitor=[0.6, 0.3, 0.1][index])
    assert verdict.predicted == "goldfish"
    assert verdict.predicted_index == 0
    assert verdict.confidence == pytest.approx([0.6, 0.3, 0.1][index], abs=1e-6)
    assert verdict.success is success


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
def test_an_untargeted_item_succeeds_with_any_other_class(
    index: int, until: float | None, monitor: float, success: bool
) -> None:
    target = Target(f"not {CLASSES.label(index)}", index, untargeted=True)
    verdict = judge(SCORES, target, CLASSES, until, monitor)
    assert verdict.predicted == "goldfish"
    # of all other classes together
    assert verdict.confidence == pytest.approx([0.4, 0.7, 0.9][index], abs=1e-6)
    assert verdict.success is success


def test_without_a_class_the_monitored_value_decides() -> None:
    for target in (None, Target("conv5:3")):
        assert judge(SCORES, target, CLASSES, None, 2.0).success is None
        assert judge(SCORES, target, CLASSES, 2.0, 2.0).success is True
        assert judge(SCORES, target, CLASSES, 2.1, 2.0).success is False
        assert judge(SCORES, target, CLASSES, None, 2.0).confidence is None


def test_a_summary() -> None:
    items = [
        Item(confidence=confidence, success=confidence > 0.5, forwards=3, backwards=2)
        for confidence in (0.2, 0.9, 0.7, 0.6)
    ]
    assert summary(items) == {
        "success": 3,
        "items": 4,
        "mean_confidence": 0.6,
        "median_confidence": 0.65,
        "forwards": 12,
        "backwards": 8,
    }
    unit = Item(forwards=3, backwards=2)  # no class, and no value to reach
    assert summary([unit, unit]) == {
        "success": None,
        "items": 2,
        "mean_confidence": None,
        "median_confidence": None,
        "forwards": 6,
        "backwards": 4,
    }


@pytest.fixture(scope="module")
def alexnet(weights: Path) -> Network:
    return bundled.bundled("mini_alexnet", str(weights), "cpu")


@pytest.mark.parametrize("size", [(64, 64), (96, 96), (40, 72)])
def test_images_of_any_size_are_predicted_at_the_size_of_the_network(
    size: tuple[int, int], alexnet: Network
) -> None:
    """The monitored value is read from the image as it is, at a layer that accepts its size."""
    rows = rows_of(3)
    images = rows.uniform(3, *size)
    scores, monitored = evaluate_images(alexnet, Channel("relu4", 2).bind(alexnet), images, rows)
    fitted = images
    if size != (64, 64):
        fitted = functional.interpolate(images, (64, 64), mode="bicubic", antialias=True).clamp(
            0, 1
        )
    torch.testing.assert_close(scores, alexnet(fitted), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        reading.logits(alexnet, images), alexnet(fitted), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        monitored, alexnet.read(images, ["relu4"])["relu4"][:, 2].mean((1, 2)), atol=1e-6, rtol=1e-5
    )


class _ItemAndPicture(BoundObjective):
    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"source": 100.0 * readout.picture_index[:, None] + readout.rows.item[:, None]}


def test_every_image_of_several_batches_has_its_item_and_picture(network: Network) -> None:
    count = BATCH + 3
    rows = rows_of(count)
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    item = torch.arange(count)
    scores, monitored = evaluate_images(
        network, _ItemAndPicture(), images, rows, picture_index=item.flip(0)
    )
    assert torch.equal(monitored, 100.0 * item.flip(0) + item)
    torch.testing.assert_close(scores, network(images), atol=1e-5, rtol=1e-5)
    assert torch.equal(evaluate_images(network, _ItemAndPicture(), images, rows)[1], 101.0 * item)


def test_a_hit_is_the_class_or_any_other_class() -> None:
    assert [is_hit(SCORES, Target("it", index)) for index in range(3)] == [True, False, False]
    assert [is_hit(SCORES, Target("not it", index, untargeted=True)) for index in range(3)] == [
        False,
        True,
        True,
    ]
    assert not is_hit(SCORES, None)
    assert not is_hit(SCORES, Target("conv1:2"))
