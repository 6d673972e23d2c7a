"""The label landscape: planes of a network whose boundary is known, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures
from torch import Tensor, nn

from synth.core.network import Network
from synth.errors import InputError
from synth.probes.label_landscape import LabelLandscape
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord

RADIUS, GRID = 8.0, 33  # half a level a point


class Threshold(nn.Module):
    """Class 1 where the sum of the pixels is above a limit, class 0 below."""

    def __init__(self, limit: float, shape: int = 16) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * shape * shape, 2)
        self.fc.weight = nn.Parameter(torch.stack([torch.zeros(768), torch.ones(768)]))
        self.fc.bias = nn.Parameter(torch.tensor([0.0, -limit]))

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(images.flatten(1))


def threshold(limit: float) -> Network:
    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return Network(Threshold(limit), name="threshold", size=(16, 16), device="cpu", **plain)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(noisy_pictures(tmp_path / "pictures", 2))


def test_the_margin_is_the_distance_to_a_plane_that_is_known(folder: str) -> None:
    image = LabelLandscape(threshold(0.0), folder)._image(0)
    sum_of_pixels = float(image.sum())
    near, far = 768 * 3.2 / 255, 768 * 20 / 255  # 3.2 and 20 levels of every pixel below
    networks = {"far": threshold(sum_of_pixels - far)}
    network = threshold(sum_of_pixels - near)
    record = MemoryRecord()
    numbers = {"pictures": 1, "radius": RADIUS, "grid": GRID}
    result = LabelLandscape(network, folder, networks, **numbers).run(record)
    own, other = result.findings["landscapes"]
    assert (own["labels"], other["labels"]) == (2, 1)
    assert own["margin"] == 3.5  # the first point beyond 3.2
    assert (other["margin"], other["own_label"]) == (None, 1.0)
    assert result.findings["labels_on_a_plane"] == 2
    assert result.findings["labels_on_a_plane_far"] == 1
    labels = record.saved_tensors["label_landscape.safetensors"][f"labels.{network.name}"][0]
    assert labels.shape == (GRID, GRID)
    assert labels[GRID // 2].tolist() == [1] * (GRID // 2 + 7) + [0] * (GRID // 2 - 6)
    caption = result.figures[0].caption
    assert f"labels on the plane: {network.name} 2, far 1" in caption
    assert result.figures[0].file in record.files
    random = LabelLandscape(network, folder, networks, plane="random", **numbers)
    findings = random.run(MemoryRecord()).findings
    assert findings["labels_on_a_plane"] == 1  # random signs cancel out


def test_an_interrupted_run_goes_on_and_other_pictures_are_refused(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, numbers = threshold(380.0), {"pictures": 2, "grid": 5}
    whole = LabelLandscape(network, folder, **numbers).run(MemoryRecord()).findings
    probe, record = LabelLandscape(network, folder, **numbers), FolderRecord(tmp_path / "run")
    landscape = probe._landscape

    def stops(network: Network, image: Tensor, row: int) -> Tensor:
        if row == 1:
            raise KeyboardInterrupt
        return landscape(network, image, row)

    monkeypatch.setattr(probe, "_landscape", stops)
    with pytest.raises(KeyboardInterrupt):
        probe.run(record)
    rows: list[int] = []
    monkeypatch.setattr(probe, "_landscape", lambda *args: rows.append(args[2]) or landscape(*args))
    assert probe.run(record).findings == whole
    assert rows == [1]
    others = noisy_pictures(tmp_path / "others", 3)
    with pytest.raises(InputError, match="its run was begun with other pictures"):
        LabelLandscape(network, str(others), **numbers).run(record)


def test_a_network_that_answers_nan_has_no_label(folder: str) -> None:
    record = MemoryRecord()
    result = LabelLandscape(threshold(float("nan")), folder, pictures=1, grid=3).run(record)
    (row,) = result.findings["landscapes"]
    assert (row["label"], row["labels"], row["margin"]) == ("none", 0, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"grid": 10}, r"^grid=10: write an odd number from 3 on"),
        ({"radius": 0.0}, r"^radius=0\.0: levels of 255, above 0"),
        ({"pictures": 0}, r"^pictures=0: at least 1\.$"),
        ({"plane": "flat"}, r"^plane=flat: write gradient or random\.$"),
    ],
)
def test_wrong_numbers_are_refused(folder: str, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelLandscape(threshold(0.0), folder, **wrong)


def test_networks_of_another_size_are_refused(folder: str) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    other = Network(module, name="small", size=(8, 8), device="cpu")
    with pytest.raises(InputError, match=r"^networks\.small: .* reads images of 8x8 pixels, .*fit"):
        LabelLandscape(threshold(0.0), folder, {"small": other})
