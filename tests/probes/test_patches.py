"""Patches against a loop over all pictures and places, and planted features."""

from __future__ import annotations

import logging
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures, tiny_module, wrapped
from torch import Tensor, nn

from synth import data
from synth.core.network import Network
from synth.errors import InputError
from synth.networks.receptive_field import receptive_fields
from synth.probes.activations import Activations
from synth.probes.patches import Patches
from synth.probes.probe import Probe
from synth.probes.strongest import LayerPatches, Top
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord

LAYERS = ["conv1", "relu2", "fc"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven pictures, one of them twice and one of another size."""
    folder = noisy_pictures(tmp_path / "pictures", 6, 0, 256)
    (folder / "03 copy.png").write_bytes((folder / "03.png").read_bytes())
    with Image.open(folder / "05.png") as image:
        image.resize((40, 25)).save(folder / "05.png")
    return folder


def tensors_of(probe: Patches) -> tuple[dict[str, Tensor], MemoryRecord]:
    record = MemoryRecord()
    probe.measure(record)
    return record.saved_tensors["patches.safetensors"], record


def test_the_strongest_are_those_of_a_loop_over_all_pictures(
    network: Network, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "scan", partialmethod(Probe.scan, batch=2))
    probe = Patches(network, str(folder), LAYERS, k=3, steps=0)
    tensors, _ = tensors_of(probe)
    pictures = data.pictures(str(folder))
    images = torch.stack([picture.at((16, 16)) for picture in pictures])
    copy = [picture.name for picture in pictures].index("03.png")  # sorted behind "03 copy.png"
    with torch.no_grad():
        activations = network.read(images, LAYERS)
    for layer in LAYERS:
        maps = activations[layer]
        maps = maps if maps.ndim == 4 else maps[:, :, None, None]
        for unit in range(maps.shape[1]):
            peaks = [
                (float(maps[place, unit].max()), place)
                for place in range(len(images))
                if place != copy
            ]
            expected = sorted(peaks, reverse=True)[:3]
            values = tensors[f"{layer}.values"][unit].tolist()
            assert values == pytest.approx([value for value, _ in expected], abs=1e-5)
            for slot, (value, place) in enumerate(expected):
                if value <= 0:
                    continue
                assert tensors[f"{layer}.pictures"][unit, slot] == place
                row, column = tensors[f"{layer}.places"][unit, slot].tolist()
                assert float(maps[place, unit, row, column]) == pytest.approx(value, abs=1e-5)
    assert tensors["fc.places"].unique().tolist() == [0]
    assert tensors["conv1.receptive_field"][3, 4].tolist() == [2, 3, 5, 6]


def test_findings_count_pictures_copies_and_dead_units(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.bias[2] = -1e3
        module.conv1.weight[2] = 0
    network = wrapped(module)
    caplog.set_level(logging.WARNING)
    probe = Patches(network, str(folder), "conv1", unit=[2, 0], k=9, steps=2)
    assert "k=9: there are 7 pictures, so many a unit" in caplog.text
    result = probe.run(FolderRecord(tmp_path / "run"))
    assert result.findings["units"] == 8
    assert (result.findings["pictures"], result.findings["duplicate_pictures"]) == (7, 1)
    assert result.findings["dead_units"] == 1
    assert "conv1: 1 of its units never fire: 2" in caplog.text
    assert result.layers is not None
    assert result.layers[0]["receptive_field"] == "3 x 3"
    assert result.layers[0]["dead"] == 1
    assert [item.target for item in result.items] == ["conv1:2", "conv1:0"]
    assert all((tmp_path / "run" / str(item.file)).is_file() for item in result.items)
    assert result.items[1].extra["rank_correlation"] is not None
    rows = result.findings["rank_correlations"]
    assert isinstance(rows, list)
    assert [row["at"] for row in rows] == ["conv1"]
    assert rows[0]["other"] is None  # the other unit has no patch
    with Image.open(tmp_path / "run" / result.figures[0].file) as sheet:
        assert sheet.width > 8 * 126  # a synthetic picture and seven patches


def test_a_planted_feature_is_found_where_it_is(tmp_path: Path) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 2, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():  # the first unit adds up red, the second blue
        module[0].weight.zero_()
        module[0].bias.fill_(-1.0)
        module[0].weight[0, 0] = 1 / 5
        module[0].weight[1, 2] = 1 / 5
    network = wrapped(module, ("red", "blue"), (20, 20), (0, 0, 0), (1, 1, 1))
    (tmp_path / "pictures").mkdir()
    corners = {0: (3, 11), 1: (14, 0)}
    for number in range(5):
        pixels = np.zeros((20, 20, 3), dtype=np.uint8)
        for channel, (row, column) in corners.items():
            if number in (channel + 1, channel + 2):
                level = 255 if number == channel + 1 else 200
                pixels[row : row + 5, column : column + 5, 2 * channel] = level
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    probe = Patches(network, str(tmp_path / "pictures"), "0", k=2, steps=0)
    tensors, record = tensors_of(probe)
    assert tensors["pictures"].tolist() == [[1, 2], [2, 3]]
    for channel, (row, column) in corners.items():
        assert tensors["places"][channel].tolist() == [[row + 2, column + 2]] * 2
        box = tensors["receptive_field"][row + 2, column + 2].tolist()
        assert box == [row, column, row + 5, column + 5]
    assert tensors["values"][0].tolist() == pytest.approx([4.0, 25 * 200 / 255 / 5 - 1], abs=1e-5)
    sheet = record.pictures["figures/000.png"][0]
    red, dark, blue, _ = (
        sheet[:, y, x].tolist() for y, x in ((60, 60), (60, 200), (220, 60), (0, 0))
    )
    assert red == [255, 0, 0]
    assert dark == [200, 0, 0]
    assert blue == [0, 0, 255]


def test_patches_at_the_border_are_grey_beyond_it(network: Network, folder: Path) -> None:
    probe = Patches(network, str(folder), "conv1", k=1, steps=0)
    top = Top.empty(8, 1, network.device)
    field = receptive_fields(network)["conv1"]
    patches = LayerPatches(network, probe.pictures, "conv1", top, field)
    image = torch.rand(3, 16, 16)
    corner = patches.cropped(image, 0)
    assert torch.equal(corner[:, 1:, 1:], image[:, :2, :2])
    assert corner[:, 0].unique().tolist() == corner[:, :, 0].unique().tolist() == [0.5]
    assert torch.equal(patches.cropped(image, 5 * 16 + 7), image[:, 4:7, 6:9])


def test_a_killed_pass_finds_the_same(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.probes.probe.CHECKPOINT_EVERY", -1.0)
    monkeypatch.setattr(Probe, "scan", partialmethod(Probe.scan, batch=3))
    whole = Patches(network, str(folder), LAYERS, k=2, steps=0).run(FolderRecord(tmp_path / "a"))
    read = Network.read

    def dies(self: Network, images: Tensor, *rest: object) -> object:
        if len(images) < 3:
            raise OSError("killed")
        return read(self, images, *rest)

    monkeypatch.setattr(Network, "read", dies)
    with pytest.raises(OSError, match="killed"):
        Patches(network, str(folder), LAYERS, k=2, steps=0).run(FolderRecord(tmp_path / "b"))
    monkeypatch.setattr(Network, "read", read)
    result = Patches(network, str(folder), LAYERS, k=2, steps=0).run(FolderRecord(tmp_path / "b"))
    assert result.findings == whole.findings
    for name in ("patches.safetensors", *(figure.file for figure in whole.figures)):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_one_picture_and_another_network_are_enough(network: Network, folder: Path) -> None:
    second = wrapped(tiny_module(seed=1))
    probe = Patches(network, str(folder / "00.png"), "relu2", k=1, shown=2, steps=2, second=second)
    result = probe.measure(MemoryRecord())
    assert result.findings["pictures"] == 1
    assert result.findings["rank_correlation_natural"] is None
    rows = result.findings["rank_correlations"]
    assert isinstance(rows, list)
    assert [row["at"] for row in rows] == ["relu1", "relu2", "tiny relu2"]


def test_vectors_without_places_are_seen_from_everywhere(folder: Path) -> None:
    module = nn.Sequential(
        *(nn.Flatten(), nn.Linear(768, 77), nn.Unflatten(1, (7, 11)), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(77, 5)),
    )
    record = MemoryRecord()
    probe = Patches(wrapped(module), str(folder), "3", k=2, shown=2, steps=1)
    assert probe.network.layers["3"] == (7, 11)
    result = probe.measure(record)
    assert len(result.items) == 2
    tensors = record.saved_tensors["patches.safetensors"]
    assert tensors["receptive_field"].tolist() == [[[0, 0, 16, 16]]] * 11
    Activations(probe.network, str(folder), "3").measure(record)
    values = record.saved_tensors["activations.safetensors"]["high"]
    assert torch.allclose(tensors["values"][:, 0], values, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "conv9"}, "layer=conv9: tiny has no such layer"),
        ({"layer": []}, r"layer=\[\]: name at least one layer"),
        ({"layer": ["conv1", "fc"], "unit": 7}, "unit=7: fc has units 0 to 4"),
        ({"unit": []}, r"unit=\[\]: name at least one unit"),
        ({"k": 0}, "k=0: write 1 or more"),
        ({"steps": -1}, "steps=-1: write 0 or more"),
    ],
)
def test_mistakes_are_refused_in_one_line(
    network: Network, folder: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        Patches(network, str(folder), **settings)
    assert "\n" not in str(error.value)
