"""Predictions, success and confidence of saved images, against numbers by hand."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures, rows_of, tiny_module, unanswering, wrapped
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Readout, Target
from synth.core.classes import Classes
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.engine.verdict import BATCH, Verdict, criterion, evaluate_images, is_hit, judge, summary
from synth.errors import InputError
from synth.figures.triptych import Triptych
from synth.metrics.critical_samples import CriticalSamples
from synth.metrics.distances import Distances
from synth.metrics.naturalness import load_or_fit
from synth.networks import bundled, reading
from synth.objectives.every_picture import EveryPicture
from synth.objectives.scores import Channel, ClassScore
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.record.result import Item
from synth.searches.fast_gradient import FastGradient
from synth.searches.gradient import Gradient

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


@pytest.mark.parametrize("logit", [math.nan, math.inf])
@pytest.mark.parametrize("target", [Target("it", 0), Target("not it", 1, untargeted=True), None])
def test_a_network_that_answers_nan_predicts_nothing_and_nothing_succeeds(
    logit: float, target: Target | None
) -> None:
    scores = torch.tensor([logit, 0.0, 0.0])
    assert not is_hit(scores, target)
    success = None if target is None else False
    assert judge(scores, target, CLASSES, None, monitor=1.0) == Verdict(
        None, None, None, None, success
    )
    assert judge(scores, target, CLASSES, 0.5, monitor=math.nan).success is False


def test_a_run_on_a_network_that_answers_nan_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture = noisy_pictures(tmp_path / "p", 1) / "00.png"
    experiment = Experiment(
        unanswering(),
        Perturbation(str(picture), epsilon=0.1, size=16),
        ClassScore([0, 2]),
        FastGradient(),
        metrics={"critical": CriticalSamples(), "distances": Distances()},
        figures={"triptych": Triptych()},
    )
    with caplog.at_level(logging.WARNING, "synth"):
        result = experiment.run(FolderRecord(tmp_path / "out")).to_dict()
    assert "tiny answers NaN or infinity for 2 of 2 images" in caplog.text
    for item in result["items"]:
        assert (item["success"], item["predicted"], item["confidence"]) == (False, None, None)
        assert "original_predicted" not in item
        assert item["critical"] is False
    assert result["findings"]["success"] == 0
    assert result["findings"]["mean_confidence"] is None
    assert result["findings"]["critical_sample_ratio"] == 0
    assert result["findings"]["unrounded_success"] == 0
    assert [figure["caption"][:8] for figure in result["figures"]] == ["no class"] * 2


def test_where_the_class_of_a_clean_image_is_needed_a_network_without_answer_is_refused(
    tmp_path: Path,
) -> None:
    folder = str(noisy_pictures(tmp_path / "p", 10))
    for objective in (Untargeted(images=folder), EveryPicture(folder)):
        with pytest.raises(InputError, match="answers NaN or infinity for 10 of 10 clean images"):
            objective.bind(unanswering())
    with pytest.raises(InputError, match="the activations of tiny are NaN or infinite"):
        load_or_fit(damaged_first_layer(), folder)


def test_images_that_are_no_numbers_are_saved_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = damaged_first_layer()
    experiment = Experiment(network, Pixels(16), ClassScore([0, 2]), Gradient(2, "adam"))
    with caplog.at_level(logging.WARNING, "synth"):
        result = experiment.run(FolderRecord(tmp_path))
    assert "2 of 2 images hold NaN or infinity, saved as black or white" in caplog.text
    assert [item.success for item in result.items] == [False, False]


def damaged_first_layer() -> Network:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.weight.fill_(3e38)
    return wrapped(module)


def test_the_criterion_of_success_in_words() -> None:
    classes = [Target("goldfish", 1), None]
    probability, margin = (0.0, 1.0), (-math.inf, math.inf)
    assert criterion([None], None, margin) is None
    assert criterion([Target("conv5:3")], 2.5, margin) == "with a monitored score of at least 2.5"
    met = "the target class is predicted for the saved file"
    assert criterion(classes, None, probability) == criterion(classes, 0.0, margin) == met
    assert criterion(classes, 0.99, probability) == f"{met} with a probability of at least 0.99"
    away = [Target("not goldfish", 1, untargeted=True)]
    other = "another class than the true one is predicted for the saved file"
    assert criterion(away, 0.0, margin) == other
    assert criterion([*classes, *away], 0.0, margin) == f"{met} or {other}"
