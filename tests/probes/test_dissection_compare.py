"""Dissections side by side: unique detectors, changes of concepts, accuracy, resume, mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import wrapped
from torch import nn

from synth.core.network import Network
from synth.data.generated_concepts import write_concepts
from synth.errors import InputError
from synth.networks import weights_io
from synth.probes.dissection import Dissection
from synth.probes.dissection_compare import DissectionCompare
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord

SIDE = 32
RED, BLUE, BRIGHT, OFF = [1.0, -1.0, -1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]


class Colours(nn.Module):
    """A channel for each row of weights."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.channels = nn.Conv2d(3, len(rows), 1, bias=False)
        self.rectified = nn.ReLU()
        self.channels.weight.data = torch.tensor(rows)[..., None, None]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.rectified(self.channels(images)).mean((2, 3))


def network_of(rows: list[list[float]]) -> Network:
    return wrapped(Colours(rows), [str(n) for n in range(len(rows))], size=(SIDE, SIDE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("concepts")
    write_concepts(folder, 24, SIDE, seed=3)
    return folder


@pytest.fixture(scope="module")
def network() -> Network:
    return network_of([RED, BLUE, OFF])


def weights_of(folder: Path, name: str, rows: list[list[float]], accuracy: str = "") -> str:
    state = {"channels.weight": torch.tensor(rows)[..., None, None]}
    path = folder / f"{name}.safetensors"
    weights_io.write(path, state, {"accuracy": accuracy} if accuracy else {})
    return str(path)


def compare(network: Network, folder: Path, **changes: object) -> DissectionCompare:
    settings = {"layers": "rectified", "k": 2} | changes
    places = {"images": folder / "images", "labels": folder / "labels"}
    return DissectionCompare(network, **places, **settings)  # type: ignore[arg-type]


def test_a_channel_that_becomes_another_is_followed(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    weights = [
        weights_of(tmp_path, "first", [RED, BLUE, OFF], "0.25"),
        weights_of(tmp_path, "middle", [RED, RED, OFF], "0.5"),
        weights_of(tmp_path, "last", [RED, BRIGHT, OFF], "0.75"),
    ]
    record = MemoryRecord()
    result = compare(network, folder, weights=weights).run(record)
    table = result.findings["detectors"]
    assert [(row["network"], row["unique_detectors"]) for row in table] == [  # type: ignore[index,union-attr,call-overload]
        ("first", 2),
        ("middle", 1),
        ("last", 2),
    ]
    steps = result.findings["steps"]
    assert [row["changed"] for row in steps] == [0.3333, 0.3333]  # type: ignore[index,union-attr,call-overload]
    (change,) = result.findings["changes"]  # type: ignore[misc]
    assert (change["channel"], change["before"], change["after"]) == (1, "blue", "white")  # type: ignore[index,call-overload]
    assert [row["accuracy"] for row in result.findings["accuracy"]] == [0.25, 0.5, 0.75]  # type: ignore[index,union-attr,call-overload]
    assert [figure.file for figure in result.figures] == [
        "figures/unique_detectors.png",
        "figures/accuracy.png",
        "figures/channels_rectified.png",
        "figures/003.png",
    ]
    alone = Dissection(network, folder / "images", folder / "labels", layers="rectified")
    (expected,), _ = alone.dissected(MemoryRecord())
    saved = record.saved_tensors["dissection_compare.safetensors"]
    assert torch.equal(saved["first.rectified.iou"], expected.iou)


def test_a_channel_that_falls_silent_has_empty_patches_after(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    weights = [
        weights_of(tmp_path, "first", [RED, BLUE, OFF]),
        weights_of(tmp_path, "last", [RED, OFF, OFF]),
    ]
    record = MemoryRecord()
    result = compare(network, folder, weights=weights).run(record)
    (change,) = result.findings["changes"]  # type: ignore[misc]
    assert (change["channel"], change["after"]) == (1, "none")  # type: ignore[index,call-overload]
    sheet, _ = record.pictures[str(result.figures[-1].file)]
    right = sheet[:, : sheet.shape[1] // 2, sheet.shape[2] // 2 + 8 :]
    assert int(right.min()) == 255  # nothing but white


def test_a_network_that_is_finished_is_not_read_again(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"other": network_of([BLUE, BRIGHT])}
    probe = compare(network, folder, networks=other)
    probe.dissections["other"].dissected = None  # type: ignore[method-assign,assignment]
    with pytest.raises(TypeError):
        probe.run(FolderRecord(tmp_path))
    probe = compare(network, folder, networks=other)
    probe.dissections[network.name].dissected = None  # type: ignore[method-assign,assignment]
    result = probe.run(FolderRecord(tmp_path))
    assert [row["channels"] for row in result.findings["detectors"]] == [3, 2]  # type: ignore[index,union-attr,call-overload]
    assert "steps" not in result.findings


def test_mistakes_are_refused_in_a_line(network: Network, folder: Path, tmp_path: Path) -> None:
    other = weights_of(tmp_path, "other", [RED])
    for words, message in (
        ({}, "a single network"),
        ({"weights": other}, "the weights of another network than .*channels.weight is"),
        ({"weights": str(tmp_path / "*.pt")}, "no file matches"),
        ({"weights": "lost.pt"}, "weights=lost.pt: no such file"),
        ({"weights": [other, other]}, "other_?.* is there twice"),
        ({"networks": {"b": network}, "layers": {"c": "rectified"}}, "layers.c: no network"),
        ({"networks": {"b": network}, "layers": {"b": "conv9"}}, "^b: .*conv9"),
    ):
        with pytest.raises(InputError, match=message) as error:
            compare(network, folder, **words)
        assert "\n" not in str(error.value)
