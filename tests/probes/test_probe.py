"""The base class of probes: pictures, layers, activations, sheets, and the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures

from synth import data
from synth.core.network import Network
from synth.data import to_image
from synth.errors import InputError
from synth.probes.probe import FOLDER, Measurement, Probe
from synth.record.folder_record import FolderRecord
from synth.record.job import Job
from synth.record.record import Record
from synth.record.result import Item, Result

COUNT = 3


class ChannelMeans(Probe):
    """Mean activation of each picture at each layer, and a sheet of the pictures."""

    needs_pictures = True

    def measure(self, record: Record) -> Measurement:
        activations = self.activations(self.layers, lambda maps: maps.flatten(1).mean(1))
        names = [picture.name for picture in self.pictures]
        images = [to_image(picture.at(self.network.size)) for picture in self.pictures]
        parts = list(zip(images, names, strict=True))
        items = [
            Item(
                image=name,
                extra={layer: float(means[place]) for layer, means in activations.items()},
            )
            for place, name in enumerate(names)
        ]
        figures = [
            self.save_sheet(record, 0, parts, 2, "All pictures."),
            self.save_sheet(record, 1, parts[:1], 2, "The first picture."),
        ]
        return Measurement({"pictures": len(names)}, items, figures)


class Nothing(Probe):
    """Needs neither pictures nor layers."""

    def measure(self, record: Record) -> Measurement:
        return Measurement(layers=[{"layer": "conv1"}])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return noisy_pictures(tmp_path / "pictures", COUNT)


def test_a_probe_measures_its_pictures_at_its_layers(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    probe = ChannelMeans(network, str(folder), ["conv1", "conv2"])
    assert isinstance(probe, Job)
    result = probe.run(FolderRecord(tmp_path / "run"))
    assert isinstance(result, Result)
    assert result.status == "done"
    assert result.findings == {"pictures": COUNT}
    assert [item.image for item in result.items] == ["00.png", "01.png", "02.png"]
    images = torch.stack([picture.at((16, 16)) for picture in data.pictures(str(folder))])
    with torch.no_grad():
        maps = network.module.conv1((images - network.mean) * network.scale)
    assert [item.extra["conv1"] for item in result.items] == pytest.approx(
        maps.mean((1, 2, 3)).tolist(), abs=1e-6
    )


def test_the_result_has_network_device_versions_and_seconds(
    network: Network, tmp_path: Path
) -> None:
    result = Nothing(network).run(FolderRecord(tmp_path)).to_dict()
    assert result["network"] == {"name": "tiny", "sha256": "0" * 64}
    assert result["device"] == "cpu"
    assert {"synth", "torch"} <= result["versions"].keys()
    assert 0 <= result["seconds"] < 10
    assert result["layers"] == [{"layer": "conv1"}]
    assert result["items"] == result["figures"] == []
    assert (result["search"], result["encoding"]) == (None, None)


def test_sheets_are_numbered_figures_of_labelled_pictures(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    result = ChannelMeans(network, str(folder), "conv1").run(FolderRecord(tmp_path / "run"))
    assert [(figure.file, figure.caption) for figure in result.figures] == [
        (f"{FOLDER}/000.png", "All pictures."),
        (f"{FOLDER}/001.png", "The first picture."),
    ]
    with (
        Image.open(tmp_path / "run" / result.figures[0].file) as sheet,
        Image.open(tmp_path / "run" / result.figures[1].file) as single,
    ):
        assert sheet.width > single.width  # two pictures beside each other
        assert sheet.height > single.height  # and a third below
        assert len(np.unique(np.asarray(single))) > 10


def test_a_layer_that_does_not_exist_is_refused_in_one_line(network: Network, folder: Path) -> None:
    with pytest.raises(InputError, match="layer=conv9: tiny has no such layer") as error:
        ChannelMeans(network, str(folder), ["conv1", "conv9"])
    assert "\n" not in str(error.value)


def test_missing_pictures_are_refused_in_one_line(network: Network, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        ChannelMeans(network, layers="conv1")
    assert str(error.value) == "images: this probe reads pictures; write images=FOLDER."
    with pytest.raises(InputError, match=r"nowhere\.png: no such file") as error:
        ChannelMeans(network, str(tmp_path / "nowhere.png"))
    assert "\n" not in str(error.value)
    assert Nothing(network).pictures == []


def test_the_base_class_is_abstract(network: Network) -> None:
    with pytest.raises(TypeError, match="measure"):
        Probe(network)  # type: ignore[abstract]
