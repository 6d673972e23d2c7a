"""The base class of probes: pictures, layers, activations, sheets, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.data import to_image
from synth.data.collection import Batch, Collection
from synth.errors import InputError
from synth.probes.probe import FOLDER, Measurement, Probe, Tally
from synth.record.folder_record import FolderRecord
from synth.record.job import Job
from synth.record.record import Record
from synth.record.result import Item, Result

COUNT = 3


class Means(Tally):
    """The mean activation of each picture at each layer."""

    def __init__(self, layers: Sequence[str], count: int) -> None:
        self.values = {layer: torch.zeros(count) for layer in layers}

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        for layer, values in self.values.items():
            values[batch.places] = activations[layer].flatten(1).mean(1)

    def state(self) -> dict[str, Tensor]:
        return self.values

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.values = dict(state)


class ChannelMeans(Probe):
    """Mean activation of each picture at each layer, and a sheet of the pictures."""

    needs_pictures = True

    def measure(self, record: Record) -> Measurement:
        pictures = self.pictures
        means = Means(self.layers, len(pictures))
        self.scan(record, self.layers, {"means": means}, batch=2)
        places = [place for place in range(len(pictures)) if place not in pictures.skipped]
        images = [to_image(pictures.picture(place).at(self.network.size)) for place in places]
        names = [pictures.names[place] for place in places]
        parts = list(zip(images, names, strict=True))
        items = [
            Item(
                image=pictures.names[place],
                extra={layer: float(values[place]) for layer, values in means.values.items()},
            )
            for place in places
        ]
        figures = [
            self.save_sheet(record, 0, parts, 2, "All pictures."),
            self.save_sheet(record, 1, parts[:1], 2, "The first picture."),
        ]
        return Measurement({"pictures": len(names)}, items, figures)


class TwoPasses(ChannelMeans):
    """One over the first picture alone, and one over all."""

    def measure(self, record: Record) -> Measurement:
        every = self.pictures
        self.collection = Collection([every.picture(0)])
        self.scan(record, self.layers, {"means": Means(self.layers, 1)}, "first")
        self.collection = every
        return super().measure(record)


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
    assert Nothing(network).collection is None


def test_the_base_class_is_abstract(network: Network) -> None:
    with pytest.raises(TypeError, match="measure"):
        Probe(network)  # type: ignore[abstract]


def test_bad_files_of_a_folder_are_left_out_and_counted(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    (folder / "01.png").write_bytes(b"no picture")
    result = ChannelMeans(network, str(folder), "conv1").run(FolderRecord(tmp_path / "run"))
    assert [item.image for item in result.items] == ["00.png", "02.png"]
    assert result.findings == {"pictures": COUNT - 1, "skipped_files": 1}
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of its 3 files is a readable picture"):
        ChannelMeans(network, str(folder), "conv1").run(FolderRecord(tmp_path / "other"))


def test_a_killed_pass_goes_on_from_its_checkpoint(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.probes.probe.CHECKPOINT_EVERY", -1.0)
    (folder / "03.png").write_bytes(b"no picture")
    whole = TwoPasses(network, str(folder), "conv1").run(FolderRecord(tmp_path / "whole"))
    record = FolderRecord(tmp_path / "run")
    read, batches = Network.read, []

    def dies(self: Network, images: Tensor, layers: Sequence[str], **rest: bool) -> object:
        batches.append(len(images))
        if len(batches) == 3:  # the last one
            raise OSError("killed")
        return read(self, images, layers, **rest)

    monkeypatch.setattr(Network, "read", dies)
    with pytest.raises(OSError, match="killed"):
        TwoPasses(network, str(folder), "conv1").run(record)
    (folder / "00 new.png").write_bytes((folder / "00.png").read_bytes())
    with pytest.raises(InputError, match="its run was begun with other pictures; name another"):
        TwoPasses(network, str(folder), "conv1").run(record)
    (folder / "00 new.png").unlink()
    counts: list[int] = []

    def counted(self: Network, images: Tensor, layers: Sequence[str], **rest: bool) -> object:
        counts.append(len(images))
        return read(self, images, layers, **rest)

    monkeypatch.setattr(Network, "read", counted)
    result = TwoPasses(network, str(folder), "conv1").run(record)
    assert counts == [1]  # the two pictures before it are not read again
    assert result.findings == whole.findings == {"pictures": COUNT, "skipped_files": 1}
    assert [item.extra for item in result.items] == [item.extra for item in whole.items]
