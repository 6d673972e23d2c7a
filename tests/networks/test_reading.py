"""Batched inference equals the same batches read by hand, for every form of images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures, tiny_module, wrapped
from torch import Tensor

from synth import data
from synth.core.network import OUTPUT, Network, over_places
from synth.networks import reading


@pytest.fixture(scope="module")
def network() -> Network:
    return wrapped(tiny_module(gain=8.0))


def by_hand(network: Network, images: Tensor, layer: str, batch: int) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network.read(part, [layer])[layer] for part in images.split(batch)])


@pytest.mark.parametrize("batch", [3, 64])
def test_logits_are_those_of_batches_read_by_hand(network: Network, batch: int) -> None:
    images = torch.rand(7, 3, 16, 16)
    logits = reading.logits(network, images, batch=batch)
    assert torch.equal(logits, by_hand(network, images, OUTPUT, batch))
    assert not logits.is_inference()


def test_uint8_images_and_batches_give_what_float_images_give(network: Network) -> None:
    levels = torch.randint(0, 256, (7, 3, 16, 16), dtype=torch.uint8)
    logits = reading.logits(network, levels.float() / 255.0, batch=4)
    assert torch.equal(reading.logits(network, levels, batch=4), logits)
    assert torch.equal(reading.logits(network, iter(levels.split(4))), logits)


def test_images_of_a_size_that_the_network_cannot_read_are_scaled_to_its_own() -> None:
    fixed = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 5))
    network = wrapped(fixed)
    images = torch.rand(3, 3, 24, 20)
    expected = network(data.fitted(images, (16, 16)))
    assert torch.equal(reading.logits(network, images), expected)
    assert torch.equal(reading.logits(network, images, size=(16, 16)), expected)


def test_pictures_are_read_at_the_size_asked_for(network: Network, tmp_path: Path) -> None:
    pictures = data.pictures(str(noisy_pictures(tmp_path / "p", 5)))
    for size, used in ((None, (16, 16)), ((24, 32), (24, 32))):
        images = torch.stack([picture.at(used) for picture in pictures])
        values = reading.activations(network, pictures, ["relu2"], size=size, batch=2)["relu2"]
        assert torch.equal(values, by_hand(network, images, "relu2", 2))


def test_activations_of_several_layers_reduced_batch_by_batch(network: Network) -> None:
    images = torch.rand(5, 3, 16, 16)
    values = reading.activations(
        network, images, ["relu1", OUTPUT, "relu1"], batch=2, reduce=over_places
    )
    assert list(values) == ["relu1", OUTPUT]
    assert torch.equal(values["relu1"], by_hand(network, images, "relu1", 2).mean((2, 3)))
    assert torch.equal(values[OUTPUT], reading.logits(network, images, batch=2))


def test_activations_can_stand_in_a_graph(network: Network) -> None:
    values = reading.activations(network, torch.rand(2, 3, 16, 16), ["relu2"])["relu2"]
    leaf = torch.ones_like(values).requires_grad_()
    (leaf * values).sum().backward()
    assert torch.equal(leaf.grad, values)


def test_no_images_give_no_rows(network: Network) -> None:
    assert reading.logits(network, torch.rand(0, 3, 16, 16)).shape == (0, 5)
    assert reading.logits(network, []).shape == (0, 5)
    values = reading.activations(network, [], ["relu2", "fc"], reduce=over_places)
    assert {name: tuple(rows.shape) for name, rows in values.items()} == {
        "relu2": (0, 12),
        "fc": (0, 5),
    }


def test_clean_images_are_read_once_by_the_same_weights(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, reads = wrapped(tiny_module(gain=8.0)), []
    forward = network.module.forward
    monkeypatch.setattr(
        network.module, "forward", lambda images: reads.append(len(images)) or forward(images)
    )
    images = torch.rand(5, 3, 16, 16)
    logits = reading.logits(network, images, batch=3, cached=True)
    assert torch.equal(reading.logits(network, images.clone(), batch=3, cached=True), logits)
    assert reads == [3, 2]
    images[4] += 0.1
    assert torch.equal(reading.logits(network, images, batch=3, cached=True)[:3], logits[:3])
    assert reads == [3, 2, 2]
    for value in network.module.parameters():
        value.mul_(2.0)
    assert not torch.equal(reading.logits(network, images, batch=3, cached=True), logits)
    assert reads == [3, 2, 2, 3, 2]
