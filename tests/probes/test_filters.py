"""Filters against the network's own convolutions, and the shapes that theory demands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures, tiny_module, wrapped, write_colour_folders
from torch import nn

from synth.core.network import Network
from synth.errors import InputError
from synth.networks.bundled import bundled
from synth.networks.kernels import channel_responses, kernels
from synth.probes.filters import Filters, correlation
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord
from synth.training.classifier.train_classifier import TrainClassifier


def convolutions() -> Network:
    """Convolutions with bias, stride, dilation, padding by reflection, and groups."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1, padding_mode="reflect", groups=4),
        nn.ReLU(),
        nn.Conv2d(12, 6, 3, dilation=2, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return wrapped(module, "abcdef", (24, 24))


def test_responses_of_all_channels_add_up_to_the_convolution() -> None:
    network = convolutions()
    images = torch.rand(2, 3, 24, 24)
    with torch.no_grad():
        activations = network.read(images, ["0", "2", "4"])
    for layer, own in activations.items():
        for unit in (0, own.shape[1] - 1):
            parts = channel_responses(network, layer, unit, images)
            assert parts.responses.shape[:2] == (2, kernels(network, layer).shape[1])
            torch.testing.assert_close(parts.total, own[:, unit], rtol=1e-4, atol=1e-5)
    grouped = channel_responses(network, "2", 7, images)
    assert grouped.first == 4  # the third of four groups of three filters and two channels
    with torch.no_grad():
        behind = network.read(images, ["1"])["1"]
    torch.testing.assert_close(grouped.inputs, behind[:, 4:6])


def test_filters_beside_patches_and_pictures_that_maximise_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.weight[2], module.conv1.bias[2] = 0, -1
    network = wrapped(module)
    folder = noisy_pictures(tmp_path / "pictures", 4)
    probe = Filters(network, str(folder), ["conv1", "conv2"])
    record = MemoryRecord()
    result = probe.run(record)
    tensors = record.saved_tensors["filters.safetensors"]
    assert torch.equal(tensors["conv1.filters"], module.conv1.weight)
    values = tensors["conv1.correlation_maximising"]
    assert values[2].isnan()
    assert bool((values[[0, 1, 3, 4, 5, 6, 7]] > 0.99).all())
    assert result.findings["median_correlation_maximising"] > 0.99
    assert result.findings["dead_filters"] == 1
    assert "conv1: 1 of its filters never fire" in caplog.text
    assert -1 <= result.findings["median_correlation_patch"] < 0.99
    rows = result.findings["correlations"]
    assert rows[2] == {"filter": "conv1:2", "norm": 0.0, "patch": None, "maximising": None}
    unit, place = int(tensors["conv2.unit"]), int(tensors["conv2.picture"])
    image = probe.pictures.picture(place).at(network.size)[None]
    with torch.no_grad():
        own = network.read(image, ["conv2"])["conv2"][0, unit]
    torch.testing.assert_close(tensors["conv2.total"], own, rtol=1e-4, atol=1e-5)
    assert [item.target for item in result.items] == [f"conv1:{unit}" for unit in range(8)]
    assert len(result.figures) == 6
    assert result.layers is not None
    assert [row["kernel"] for row in result.layers] == ["3 x 3", "3 x 3"]


def test_no_picture_excites_a_filter_that_answers_nan(tmp_path: Path) -> None:
    module = tiny_module()
    torch.nn.init.constant_(module.conv2.weight, torch.nan)
    folder = noisy_pictures(tmp_path / "pictures", 1)
    record = MemoryRecord()
    result = Filters(wrapped(module), str(folder), "conv2", shown=1).measure(record)
    assert result.findings["dead_filters"] == 12
    assert record.saved_tensors["filters.safetensors"].keys() == {"filters"}


def test_sorted_filters_come_in_the_order_of_their_norms() -> None:
    network = convolutions()
    record = MemoryRecord()
    result = Filters(network, shown=3, sort=True, steps=1).measure(record)
    norms = kernels(network, "0").flatten(1).norm(dim=1)
    order = norms.argsort(descending=True)[:3].tolist()
    assert [item.target for item in result.items] == [f"0:{unit}" for unit in order]
    assert "median_correlation_patch" not in result.findings  # there are no pictures


def test_correlation_is_that_of_numpy_and_none_of_a_constant() -> None:
    first, second = torch.rand(2, 3, 4), torch.rand(2, 3, 4)
    second[1] = 0.3
    values = correlation(first, second)
    pair = torch.stack([first[0].flatten(), second[0].flatten()])
    assert float(values[0]) == pytest.approx(float(torch.corrcoef(pair)[0, 1]), abs=1e-5)
    assert values[1].isnan()


def test_a_linear_classifier_is_trained_saved_and_shown_as_templates(tmp_path: Path) -> None:
    images = write_colour_folders(tmp_path / "train", 12, 16, ("blue", "green", "red"))
    training = TrainClassifier(
        images, architecture="linear", size=16, epochs=2, batch=12, dropout=0.0, holdout=3
    )
    training.run(FolderRecord(tmp_path / "run"))
    network = bundled("linear", str(tmp_path / "run" / "linear.safetensors"))
    assert network.size == (16, 16)
    record = MemoryRecord()
    result = Filters(network).measure(record)
    templates = record.saved_tensors["filters.safetensors"]["filters"]
    assert templates.shape == (3, 3, 16, 16)
    # the brightest colour of each template is that of its class
    assert templates.mean((2, 3)).argmax(1).tolist() == [2, 1, 0]
    assert [item.target for item in result.items] == ["blue", "green", "red"]
    with pytest.raises(InputError, match="linear comes without weights; train some"):
        bundled("linear")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "relu1"}, "layer=relu1: it has no weights of its own; write a convolution"),
        ({"layer": "output"}, "layer=output: it has no weights of its own"),
        ({"layer": "fc"}, "layer=fc: it has weights without rows and columns"),
        ({"layer": []}, r"layer=\[\]: name at least one layer"),
        ({"unit": 8}, "unit=8: conv1 has units 0 to 7"),
        ({"unit": []}, r"unit=\[\]: name at least one unit"),
        ({"shown": 0}, "shown=0: write 1 or more"),
    ],
)
def test_bad_input_is_refused(network: Network, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Filters(network, **settings)
