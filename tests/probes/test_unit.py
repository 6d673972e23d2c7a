"""A unit's page against patches, gradients and activations that are computed apart."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures, tiny_module, wrapped

from synth.core.network import Network
from synth.errors import InputError
from synth.probes.patches import Patches
from synth.probes.unit import Unit
from synth.record.memory_record import MemoryRecord


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(noisy_pictures(tmp_path / "pictures", 4, 0, 256))


def test_a_unit_has_patches_gradients_kernel_pictures_and_numbers(
    network: Network, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    probe = Unit(network, folder, "relu2:1", k=9, steps=2)
    assert "k=9: there are 4 pictures" in caplog.text
    record = MemoryRecord()
    result = probe.run(record)
    tensors = record.saved_tensors["unit.safetensors"]
    apart = MemoryRecord()
    Patches(network, folder, "relu2", k=4, steps=0).measure(apart)
    expected = apart.saved_tensors["patches.safetensors"]
    assert torch.equal(tensors["values"], expected["values"][1])
    assert torch.equal(tensors["places"], expected["pictures"][1])
    images = torch.stack([probe.pictures.picture(place).at(network.size) for place in range(4)])
    with torch.no_grad():
        own = network.read(images, ["relu2"])["relu2"][:, 1]
    assert result.findings["mean_activation"] == pytest.approx(float(own.mean()), rel=1e-4)
    assert result.findings["highest_activation"] == pytest.approx(float(own.max()), rel=1e-4)
    assert result.findings["share_active"] == pytest.approx(float((own > 0).float().mean()))
    # the ReLU's weights are those of the convolution before it
    assert torch.equal(tensors["kernel"], network.part("conv2").weight[1])
    # no pixel beyond the border matters
    assert tensors["guided"].shape == tensors["patches"].shape
    beyond = (tensors["patches"] == 0.5).all(1, keepdim=True).expand_as(tensors["guided"])
    assert not tensors["guided"][beyond].any()
    assert tensors["guided"].abs().sum() > 0
    # there is no generator of this network
    assert [item.extra["encoding"] for item in result.items] == ["pixels", "fourier"]
    assert tensors["pictures"].shape == (2, 3, 16, 16)
    with torch.no_grad():
        drawn = network.read(tensors["pictures"], ["relu2"])["relu2"][:, 1]
    middle = drawn[:, drawn.shape[1] // 2, drawn.shape[2] // 2]
    assert [item.score for item in result.items] == pytest.approx(middle.tolist(), rel=1e-4)
    assert -1 <= result.findings["rank_correlation_fourier"] <= 1
    assert len(result.figures) == 3


def test_a_direction_along_a_channel_is_that_channel(network: Network, folder: str) -> None:
    directions = torch.eye(network.layers["conv1"][0])[5:7]
    results = []
    for unit, vectors in (("conv1:6", None), ("conv1:1", directions)):
        record = MemoryRecord()
        result = Unit(network, folder, unit, steps=0, directions=vectors).run(record)
        results.append((result.findings["mean_activation"], record.saved_tensors))
    assert results[0][0] == pytest.approx(results[1][0])
    channel, direction = (tensors["unit.safetensors"] for _, tensors in (results[0], results[1]))
    torch.testing.assert_close(channel["guided"], direction["guided"])
    assert "kernel" in channel
    assert "kernel" not in direction


def test_one_picture_and_a_unit_that_never_fires(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.weight[2], module.conv1.bias[2] = 0, -1
    network = wrapped(module)
    folder = str(noisy_pictures(tmp_path / "pictures", 1))
    result = Unit(network, folder, "conv1:2", steps=1).run(MemoryRecord())
    assert result.findings["never_fires"] is True
    assert "conv1:2 never fires" in caplog.text
    assert "rank_correlation_pixels" not in result.findings
    lively = Unit(network, folder, "fc:0", steps=1).run(MemoryRecord())  # without places or kernel
    assert lively.findings["pictures"] == 1
    assert lively.findings["receptive_field"] == "16 x 16"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "conv1"}, "unit=conv1: write a layer and a channel of it"),
        ({"unit": 1}, "unit=1: write a layer and a channel of it"),
        ({"unit": "conv1:x"}, "unit=conv1:x: write a layer and a channel of it"),
        ({"unit": "conv1:8"}, "unit=conv1:8: conv1 has units 0 to 7"),
        ({"unit": "conv7:1"}, "layer=conv7: .* has no such layer"),
        ({"k": 0}, "k=0: write 1 or more"),
        ({"steps": -1}, "steps=-1: write 0 or more"),
    ],
)
def test_bad_input_is_refused(network: Network, folder: str, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Unit(network, folder, **{"unit": "conv1:0", **settings})
