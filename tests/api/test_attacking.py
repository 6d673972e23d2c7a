"""Adversarial images of a batch: labels, radii, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import synth
from synth.core.network import Network
from synth.errors import InputError


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_a_batch_with_labels(loud_network: Network, batch: torch.Tensor) -> None:
    with torch.no_grad():
        predicted = loud_network(batch).argmax(1)
    labels = predicted.clone()
    labels[0] = (labels[0] + 1) % 5  # misclassified from the start
    before = batch.clone()
    result = synth.attack(loud_network, batch, labels, epsilon=16 / 255, steps=20, progress=False)
    assert torch.equal(batch, before)
    assert result.images.shape == batch.shape
    with torch.no_grad():
        fooled = loud_network(result.images).argmax(1) != labels
    assert torch.equal(result.success, fooled)
    assert result.success[0]
    assert fooled.sum() > 2
    change = result.images - batch
    assert change.abs().max() <= 16 / 255 + 1e-6
    assert torch.allclose(result.linf, change.abs().amax((1, 2, 3)), atol=1e-5)
    assert torch.allclose(result.l2, change.flatten(1).norm(dim=1), atol=1e-4)
    assert torch.allclose(result.originals, batch, atol=0.5 / 255 + 1e-6)


def test_several_radii_norms_and_targets(loud_network: Network, batch: torch.Tensor) -> None:
    small, large = synth.attack(
        loud_network, batch[:2], epsilon=[2 / 255, 8 / 255], steps=3, until=None, progress=False
    )
    assert small.linf.max() <= 2 / 255 + 1e-6
    assert large.linf.max() > 4 / 255
    round_ball = synth.attack(
        loud_network, batch[0], norm="l2", epsilon=0.5, steps=3, until=None, progress=False
    )
    assert round_ball.l2.shape == (1,)
    assert 0.2 < float(round_ball.l2) < 0.8  # rounding to whole levels adds to the length
    aimed = synth.attack(
        loud_network, batch[:2], target=torch.tensor([1, 2]), steps=2, progress=False
    )
    assert [item.target_index for item in aimed.items] == [1, 2]


def test_every_image_misclassified_is_every_image_a_success(
    loud_network: Network, batch: torch.Tensor
) -> None:
    with torch.no_grad():
        wrong = (loud_network(batch).argmax(1) + 1) % 5
    assert synth.attack(loud_network, batch, wrong, steps=1, progress=False).success.all()


def test_pictures_by_path(loud_network: Network, tmp_path: Path) -> None:
    for number in range(2):
        Image.effect_noise((16, 16), 90).convert("RGB").save(tmp_path / f"{number}.png")
    result = synth.attack(loud_network, str(tmp_path), method="FGSM", progress=False)
    assert result.recipe == "fast_gradient_sign"
    assert [item.image for item in result.items] == ["0.png", "1.png"]


def test_mistakes_are_one_line(loud_network: Network, batch: torch.Tensor) -> None:
    with pytest.raises(InputError, match="3 labels"):
        synth.attack(loud_network, batch, [0, 1, 2], progress=False)
    with pytest.raises(InputError, match=r"values from .* before any normalisation"):
        synth.attack(loud_network, torch.randn(2, 3, 16, 16), progress=False)


def test_numbers_and_classes_in_any_form(loud_network: Network, batch: torch.Tensor) -> None:
    few = {"steps": 1, "until": None, "progress": False}
    for epsilon in (np.float32(0.03), torch.tensor(0.03)):
        assert synth.attack(loud_network, batch[0], 1, epsilon=epsilon, **few).linf.max() < 0.031
    for labels in (np.array([1, 2]), list(np.array([1, 2])), ("lemon", 2)):
        result = synth.attack(loud_network, batch[:2], labels, **few)
        assert result.items[1].target_index == 2
    backwards = batch[0].permute(1, 2, 0).numpy()[..., ::-1]  # channels in the other order
    assert synth.attack(loud_network, backwards, **few).images.shape == (1, 3, 16, 16)
    with pytest.raises(InputError, match=r"labels: 0\.5 is no class"):
        synth.attack(loud_network, batch[:1], torch.tensor([0.5]), **few)
    with pytest.raises(InputError, match="name at least one radius"):
        synth.attack(loud_network, batch[:1], epsilon=[], **few)


def test_several_radii_in_a_folder(
    loud_network: Network, batch: torch.Tensor, tmp_path: Path
) -> None:
    settings = {"epsilon": [2 / 255, 4 / 255], "steps": 1, "until": None, "progress": False}
    results = synth.attack(loud_network, batch[:2], folder=tmp_path / "radii", **settings)
    assert [result.linf.max() <= 4 / 255 + 1e-6 for result in results] == [True, True]
    assert len(synth.load_runs(tmp_path / "radii")) == 2


def test_tensors_keep_a_size_that_the_network_reads(batch: torch.Tensor) -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    network = synth.wrap(module, size=16)
    large = torch.rand(2, 3, 20, 28)
    result = synth.attack(network, large, steps=1, until=None, progress=False)
    assert result.images.shape == large.shape
    assert (result.images - large).abs().max() <= 8 / 255 + 1e-6
