"""Activation maps and statistics of channels against all activations read at once."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image
from small_worlds import noisy_pictures, tiny_module, wrapped

from synth import data
from synth.core.network import Network
from synth.errors import InputError
from synth.probes.activations import TILE, Activations
from synth.probes.probe import Probe
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord

GAP = 8  # of a sheet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures, one of another size, and a file that is none."""
    folder = noisy_pictures(tmp_path / "pictures", 5)
    with Image.open(folder / "02.png") as image:
        image.resize((30, 50)).save(folder / "02.png")
    (folder / "00 bad.png").write_bytes(b"no picture")
    return folder


def test_statistics_are_those_of_all_activations_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.weight[3] = 0
        module.conv1.bias[3] = -1
    network = wrapped(module)
    monkeypatch.setattr(Probe, "scan", partialmethod(Probe.scan, batch=2))
    layers = ["conv1", "relu1", "fc"]
    record = MemoryRecord()
    result = Activations(network, str(folder), layers, shown=3, channels=2).measure(record)
    tensors = record.saved_tensors["activations.safetensors"]
    images = torch.stack([picture.at((16, 16)) for picture in data.pictures(str(folder))])
    with torch.no_grad():
        activations = network.read(images, layers)
    for layer in layers:
        values = activations[layer].double()
        axes = (0, *range(2, values.ndim))
        statistics = {
            "activations": values[:3],
            "mean": values.mean(axes),
            "low": values.amin(axes),
            "high": values.amax(axes),
            "share_active": (values > 0).double().mean(axes),
        }
        for name, expected in statistics.items():
            ours = tensors[f"{layer}.{name}"].double()
            assert torch.allclose(ours, expected, atol=1e-5), (layer, name)
    negative = int((activations["fc"] <= 0).all(0).sum())
    assert result.findings == {"units": 21, "layers": 3, "pictures": 5, "dead_units": 2 + negative}
    assert result.layers is not None
    assert [row["dead"] for row in result.layers] == [1, 1, negative]
    zeros = float((activations["relu1"] <= 0).double().mean())
    assert result.layers[1]["sparsity"] == pytest.approx(zeros, abs=1e-4)


def test_sheets_have_the_strongest_channels_first_with_sharp_pixels(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    probe = Activations(network, str(folder), "relu2", shown=2, channels=3, colours="viridis")
    result = probe.run(FolderRecord(tmp_path / "run"))
    assert len(result.figures) == 1
    assert "tensors" not in result.findings
    image = data.picture(folder / "00.png").at((16, 16))
    with torch.no_grad():
        maps = network.read(image[None], ["relu2"])["relu2"][0]
    peaks = maps.amax((1, 2))
    order = peaks.argsort(descending=True)[:3]
    lowest = maps[order].min()
    with Image.open(tmp_path / "run" / result.figures[0].file) as opened:
        sheet = np.asarray(opened)
    assert sheet.shape[1] == 4 * (TILE + GAP) + GAP
    for place, channel in enumerate(order.tolist(), 1):
        left = GAP + place * (TILE + GAP)
        tile = sheet[GAP : GAP + TILE, left : left + TILE]
        shade = ((maps[channel] - lowest) / (peaks[order[0]] - lowest)).numpy()
        expected = colormaps["viridis"](shade, bytes=True)[:, :, :3]
        scale = TILE // shade.shape[0]
        assert np.abs(tile[::scale, ::scale].astype(int) - expected).max() <= 1
        assert (tile == tile[::scale, ::scale].repeat(scale, 0).repeat(scale, 1)).all()
    # two units by their numbers, one of them the strongest
    units = [order.tolist()[0], 0 if order[0] else 1]
    record = MemoryRecord()
    chosen = Activations(network, str(folder), "relu2", 1, colours="viridis", unit=units)
    assert "the maps of the units asked for" in chosen.measure(record).figures[0].caption
    drawn = record.pictures["figures/000.png"][0].permute(1, 2, 0).numpy()
    assert drawn.shape[1] == 3 * (TILE + GAP) + GAP


def test_a_layer_without_places_and_a_single_picture_have_a_sheet(
    network: Network, folder: Path
) -> None:
    record = MemoryRecord()
    result = Activations(network, str(folder / "00.png"), "fc", channels=9).measure(record)
    assert result.findings["pictures"] == 1
    sheet = record.pictures["figures/000.png"][0]
    assert sheet.shape[2] == 6 * (TILE + GAP) + GAP  # the picture and five units
    tile = sheet[:, GAP : GAP + TILE, TILE + 2 * GAP : 2 * (TILE + GAP)]
    assert tile.unique().tolist() == [255]  # the strongest
    assert Activations(network, str(folder)).layers == ["relu1", "relu2"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "conv9"}, "layer=conv9: tiny has no such layer"),
        ({"layer": []}, r"layer=\[\]: name at least one layer"),
        ({"shown": 0}, "shown=0: write 1 or more"),
        ({"channels": 0}, "channels=0: write 1 or more"),
        ({"layer": ["conv1", "relu2"], "unit": [3, 8]}, "unit=8: conv1 has units 0 to 7"),
        ({"unit": []}, r"unit=\[\]: name at least one unit"),
        ({"colours": "jet"}, "colours=jet: no such map of colours. Write one of grey, viridis"),
    ],
)
def test_mistakes_are_refused_in_one_line(
    network: Network, folder: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        Activations(network, str(folder), **settings)
    assert "\n" not in str(error.value)
