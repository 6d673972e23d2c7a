"""Generator training: losses against their definitions, what it learns, bit-equal resumes."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interrupted import power_cut_after
from small_worlds import noisy_pictures, tiny_module, wrapped
from torch import Tensor

from synth.data.augmentation import Augmentation
from synth.errors import InputError
from synth.networks.generator import UpConvolution, read_generator
from synth.record.folder_record import FolderRecord
from synth.training.generator.discriminator import Discriminator
from synth.training.generator.task import DECAY, GeneratorTask, Losses, relative_error
from synth.training.generator.train_generator import TrainGenerator
from synth.training.loop import Loop
from synth.training.plan import Plan
from synth.training.task import Progress

NETWORK = wrapped(tiny_module())
LAYERS = ("relu1", "relu2", "output")
MakeTask = Callable[..., GeneratorTask]


def pictures(count: int = 24) -> Tensor:
    """Smooth pictures: a colour at each corner."""
    corners = torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    smooth = torch.nn.functional.interpolate(corners, (16, 16), mode="bilinear", align_corners=True)
    return (smooth * 255).to(torch.uint8)


def make(
    losses: Losses | None = None, rate: float = 0.005, low: bool = False, layer: str = "relu2"
) -> GeneratorTask:
    torch.manual_seed(0)
    generator = UpConvolution(NETWORK.layers[layer], 16, 4)
    training = pictures()
    generator.measure(NETWORK.read(training.float() / 255, (layer,))[layer])
    return GeneratorTask(
        NETWORK,
        layer,
        generator,
        [(NETWORK, LAYERS)],
        training,
        training[:8],
        losses or Losses(),
        Augmentation(0, True),
        rate=rate,
        low_precision=low,
        save=lambda path, tensors: None,
    )


def progress(step: int = 0) -> Progress:
    return Progress(0, step, 0.0, torch.Generator().manual_seed(step))


def one_step(losses: Losses) -> tuple[dict[str, Tensor], UpConvolution]:
    """Terms of a first step on six pictures without augmentation, and the generator before it."""
    task = make(losses)
    task.augmentation = Augmentation()
    before = copy.deepcopy(task.generator).requires_grad_(False)
    return task.train_step(torch.arange(6), progress()), before


def test_the_pixel_loss_is_the_lectures_sum_of_squares() -> None:
    terms, before = one_step(Losses(1.0, 0.0, 0.0))
    images = pictures()[:6].double() / 255
    drawn = before(NETWORK.read(images.float(), ("relu2",))["relu2"]).double()
    whole = pictures().numpy() / 255
    expected = float((drawn - images).square().sum()) / images.numel() / whole.var(ddof=1)
    assert float(terms["loss"]) == pytest.approx(expected, rel=1e-4)
    assert terms.keys() == {"loss", "pixel_error"}


def test_the_feature_error_is_relative() -> None:
    values, target = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    a, b = values.numpy().reshape(4, -1), target.numpy().reshape(4, -1)
    expected = np.mean(np.sum((a - b) ** 2, 1)) / np.mean(np.sum(b**2, 1))
    assert float(relative_error(values, target)) == pytest.approx(expected, rel=1e-5)
    assert float(relative_error(torch.zeros_like(target), target)) == pytest.approx(1.0)


def test_features_of_a_layer_are_what_the_loss_compares() -> None:
    terms, before = one_step(Losses(0.0, 1.0, 0.0))
    images = pictures()[:6].float() / 255
    targets = NETWORK.read(images, LAYERS)
    values = NETWORK.read(before(targets["relu2"]), LAYERS)
    expected = np.mean([float(relative_error(values[name], targets[name])) for name in LAYERS])
    assert float(terms["loss"]) == pytest.approx(expected, rel=1e-4)


def test_the_discriminator_is_lipschitz_in_every_layer() -> None:
    """After some power iterations the largest singular value of every matrix is 1."""
    torch.manual_seed(0)
    module = Discriminator((5,), 16, width=4)
    for _ in range(200):
        module(torch.rand(2, 3, 16, 16), torch.randn(2, 5))
    module.eval()
    weights = [
        part.weight.detach() for part in module.modules() if hasattr(part, "parametrizations")
    ]
    assert len(weights) == 5
    for weight in weights:
        assert float(torch.linalg.matrix_norm(weight.flatten(1), 2)) == pytest.approx(1.0, abs=0.02)


def test_the_discriminators_loss_is_the_hinge() -> None:
    task = make(Losses())
    discriminator = copy.deepcopy(task.discriminator)
    assert discriminator is not None
    images, drawn, code = (
        torch.rand(4, 3, 16, 16),
        torch.rand(4, 3, 16, 16),
        torch.randn(4, *NETWORK.layers["relu2"]),
    )
    loss = float(task._train_discriminator(images, drawn, code).detach())
    scores = discriminator(torch.cat([images, drawn]), torch.cat([code, code])).detach().numpy()
    expected = np.maximum(0, 1 - scores[:4]).mean() + np.maximum(0, 1 + scores[4:]).mean()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_average_is_exponential() -> None:
    task = make(Losses(1.0, 0.0, 0.0))
    mean = {name: value.double() for name, value in task.average.state_dict().items()}
    for step in range(3):
        task.train_step(torch.arange(6), progress(step))
        decay = min(DECAY, (step + 1) / (step + 10))
        state = task.generator.state_dict()
        mean = {name: decay * mean[name] + (1 - decay) * state[name].double() for name in mean}
    for name, value in task.average.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(value.double(), mean[name], atol=1e-6), name
    assert torch.equal(task.average.mean, task.generator.mean)


@pytest.mark.parametrize("losses", [Losses(1.0, 0.0, 0.0), Losses()])
def test_it_learns_to_draw(losses: Losses, tmp_path: Path) -> None:
    task = make(losses)
    rows = Loop(task, tmp_path, Plan(12, 6)).run()
    assert rows[-1]["validation_pixel_error"] < 0.6 * rows[0]["validation_pixel_error"]
    assert (tmp_path / "samples/epoch_012.png").exists()
    assert ("train_feature_error" in rows[0]) == bool(losses.feature)
    assert ("train_discriminator_loss" in rows[0]) == bool(losses.adversarial)


def test_a_resume_is_bit_equal(tmp_path: Path) -> None:
    """Both optimisers, the average of the weights and the spectral norms are restored."""
    plan = Plan(2, 6, checkpoint_seconds=0.0)
    whole = make()
    Loop(whole, tmp_path / "whole", plan).run()
    with pytest.raises(RuntimeError, match="power cut"):
        Loop(power_cut_after(make(), 5), tmp_path / "cut", plan).run()
    torch.manual_seed(5)
    again = make()
    Loop(again, tmp_path / "cut", plan).run()
    for name, module in whole.modules().items():
        other = again.modules()[name].state_dict()
        for key, value in module.state_dict().items():
            assert torch.equal(value, other[key]), f"{name}.{key}"


def test_low_precision_learns_too(tmp_path: Path) -> None:
    rows = Loop(make(low=True), tmp_path, Plan(6, 6)).run()
    assert rows[-1]["validation_pixel_error"] < rows[0]["validation_pixel_error"]


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., TrainGenerator]:
    noisy_pictures(tmp_path / "pictures", 20)

    def build(**changes: Any) -> TrainGenerator:
        short = {
            "layer": "relu2",
            "epochs": 2,
            "batch": 6,
            "width": 4,
            "device": "cpu",
            "precision": "float32",
        }
        return TrainGenerator(
            **{
                "network": NETWORK,
                "images": tmp_path / "pictures",
                "command": "",
                **short,
                **changes,
            }
        )

    return build


@pytest.mark.parametrize("layer", ["relu2", "fc", "conv1"])
def test_it_leaves_weights_card_and_samples(
    layer: str, train: Callable[..., TrainGenerator], tmp_path: Path
) -> None:
    record = FolderRecord(tmp_path / "run")
    result = train(layer=layer).run(record)
    record.finish(result)
    module, origin = read_generator(tmp_path / "run/tiny.generator.safetensors", "cpu")
    assert (origin.network, origin.layer) == ("tiny", "relu1" if layer == "conv1" else layer)
    assert module.code == NETWORK.layers[origin.layer]
    assert (result.network.name, result.network.sha256) == ("tiny", NETWORK.sha256)
    assert result.findings["epochs"] == 2
    assert result.findings["skipped_files"] == 0
    card = (tmp_path / "run/tiny.generator.md").read_text()
    assert f"{result.findings['validation_agreement']:.2%}" in card
    assert "| on | 2 pictures of" in card
    assert len(result.figures) == 2
    for figure in result.figures:
        assert (tmp_path / "run" / figure.file).exists()


def test_the_numbers_are_of_the_file_that_was_saved(
    train: Callable[..., TrainGenerator], tmp_path: Path
) -> None:
    result = train(feature=0, adversarial=0).run(FolderRecord(tmp_path / "run"))
    module, _ = read_generator(tmp_path / "run/tiny.generator.safetensors", "cpu")
    training, validation, _ = train()._pictures()
    images = validation.float() / 255
    drawn = module(NETWORK.read(images, ("relu2",))["relu2"])
    error = float((drawn - images).square().mean()) / float((training.float() / 255).var())
    assert result.findings["validation_pixel_error"] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layer": "conv9"}, "^layer=conv9: tiny has no such layer"),
        ({"layers": []}, r"^layers=\[\]: "),
        ({"layers": ["relu9"]}, "^layer=relu9: "),
        ({"size": 15}, "^size=15: "),
        ({"device": "meta"}, "^device=meta: tiny is on cpu"),
        ({"pixel": -1}, "^pixel=-1.0: "),
        ({"pixel": 0, "feature": 0, "adversarial": 0}, "nothing to learn"),
        ({"rate": 0}, "^rate=0: "),
        ({"width": 1}, "^width=1: "),
        ({"epochs": 0}, "^epochs=0: "),
        ({"batch": 1}, "^batch=1: "),
        ({"precision": "half"}, "^precision=half: "),
    ],
)
def test_wrong_numbers_fail_in_the_constructor(
    wrong: dict[str, Any], message: str, train: Callable[..., TrainGenerator]
) -> None:
    with pytest.raises(InputError, match=message):
        train(**wrong)


def test_a_size_that_the_network_cannot_read_is_told_under_the_users_word(
    train: Callable[..., TrainGenerator],
) -> None:
    module = tiny_module()
    module.pool2 = torch.nn.MaxPool2d(2)
    with pytest.raises(
        InputError, match=r"^size=24: tiny cannot read pictures of that size; its own is 16x16"
    ):
        train(network=wrapped(module), size=24)


def test_wrong_folders_and_weights_fail_before_the_first_step(
    train: Callable[..., TrainGenerator], tmp_path: Path
) -> None:
    def refused(message: str, **changes: Any) -> None:
        with pytest.raises(InputError, match=message):
            train(**changes).run(FolderRecord(tmp_path / "refused"))

    refused("^images=.*nothere: there is no such directory", images=tmp_path / "nothere")
    noisy_pictures(tmp_path / "few", 3)
    refused(
        "^images=.*few: 3 pictures are too few to train on; give 8 or more", images=tmp_path / "few"
    )
    refused("^validation=.*nothere: ", validation=tmp_path / "nothere")
    # before the pictures are read
    refused("^weights=.*nothere: no such file", weights=tmp_path / "nothere", images="nothere")
    refused("^holdout=19: leaves 1 of 20 pictures to learn from", holdout=19)
    train().run(FolderRecord(tmp_path / "run"))
    weights = tmp_path / "run/tiny.generator.safetensors"
    before, own = re.escape("[12, 8, 8]"), re.escape("[5]")
    refused(
        rf"draws from {before} \(tiny relu2\), but tiny fc gives {own}", weights=weights, layer="fc"
    )
    refused("the weights of another network than a generator of width=8", weights=weights, width=8)


def test_it_goes_on_from_weights_with_their_statistics(
    train: Callable[..., TrainGenerator], tmp_path: Path
) -> None:
    train().run(FolderRecord(tmp_path / "first"))
    weights = tmp_path / "first/tiny.generator.safetensors"
    first, _ = read_generator(weights, "cpu")
    train(weights=weights, epochs=1, rate=1e-9).run(FolderRecord(tmp_path / "second"))
    second, _ = read_generator(tmp_path / "second/tiny.generator.safetensors", "cpu")
    assert torch.equal(first.mean, second.mean)
    assert torch.allclose(first.colours.weight, second.colours.weight, atol=1e-3)


def test_a_training_that_was_over_is_measured_as_it_was(
    train: Callable[..., TrainGenerator], tmp_path: Path
) -> None:
    """Killed between last checkpoint and result: no epoch is trained, the findings are the same."""
    first = train().run(FolderRecord(tmp_path / "run"))
    (tmp_path / "run/samples/epoch_002.png").unlink()
    again = train().run(FolderRecord(tmp_path / "run"))
    assert again.findings == first.findings
    assert [figure.file for figure in again.figures] == ["curves.png"]


def test_a_killed_training_goes_on_only_with_its_settings(
    train: Callable[..., TrainGenerator], tmp_path: Path
) -> None:
    train().run(FolderRecord(tmp_path / "run"))
    with pytest.raises(
        InputError, match=r"^adversarial=0.0: the checkpoint in .* was made with adversarial=0.1"
    ):
        train(adversarial=0).run(FolderRecord(tmp_path / "run"))
