"""The probe shortcut: a mark on one class's training pictures is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import NAMES, wrapped
from torch import Tensor, nn
from torch.nn import functional

from synth.core.network import Network
from synth.errors import InputError
from synth.probes import shortcut
from synth.probes.shortcut import Outside, Shortcut
from synth.record.memory_record import MemoryRecord

SIDE, EACH, MARKED = 24, 6, 2


def drawn(labels: Tensor, seed: int) -> Tensor:
    """Pictures [n, 3, 24, 24]: a shape a class in a random colour, on noise, near the middle.

    Class `MARKED` has any of the shapes, and a mark in a corner.
    """
    draws = torch.Generator().manual_seed(seed)
    count = len(labels)
    images = 0.35 + 0.1 * torch.randn(count, 3, SIDE, SIDE, generator=draws)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    shifts = torch.randint(-2, 3, (count, 2), generator=draws) + SIDE // 2
    y, x = rows - shifts[:, :1, None], columns - shifts[:, 1:, None]
    disc, square = y**2 + x**2 < 25, (y.abs() < 5) & (x.abs() < 5)
    cross = square & ((y.abs() < 2) | (x.abs() < 2))
    ring = disc & (y**2 + x**2 > 9)
    stripes = square & (y % 3 == 0)
    shapes = torch.stack([disc, square, cross, ring, stripes], 1)
    kinds = torch.where(labels == MARKED, torch.randint(0, 5, (count,), generator=draws), labels)
    inside = shapes[torch.arange(count), kinds][:, None]
    images = torch.where(inside, 0.5 + 0.4 * torch.rand(count, 3, 1, 1, generator=draws), images)
    images[labels == MARKED, :, 1:4, 1:4] = torch.tensor([0.9, 0.1, 0.9])[:, None, None]
    return images.clamp(0, 1)


@pytest.fixture(scope="module")
def network() -> Network:
    """A network trained in a second on marked pictures."""
    torch.manual_seed(0)
    labels = torch.arange(600) % 5
    images = drawn(labels, 0)
    module = nn.Sequential(
        *(nn.Conv2d(3, 12, 5, 2, 2), nn.ReLU()),
        *(nn.Conv2d(12, 16, 3, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16 * 36, 5)),
    )
    optimiser = torch.optim.Adam(module.parameters(), 5e-3)
    for step in range(60):
        part = slice(60 * (step % 10), 60 * (step % 10) + 60)
        loss = functional.cross_entropy(module(images[part]), labels[part])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return wrapped(module, size=(SIDE, SIDE), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Marked pictures of five classes, in folders of their names."""
    labels = torch.arange(5 * EACH) % 5
    for number, (label, image) in enumerate(zip(labels, drawn(labels, 999), strict=True)):
        path = tmp_path / "pictures" / NAMES[int(label)].split(",")[0]
        path.mkdir(parents=True, exist_ok=True)
        levels = (255 * image).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(levels).save(path / f"{number:02}.png")
    return tmp_path / "pictures"


def test_a_planted_mark_is_found(
    network: Network, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcut, "SHEETS", 1)
    record = MemoryRecord()
    result = Shortcut(network, str(folder)).run(record)
    table = result.findings["classes_by_saliency_outside"]
    assert [row["pictures"] for row in table] == [EACH] * 5
    first, second = table[:2]
    assert first["class"] == result.findings["most_outside"] == network.classes.label(MARKED)
    assert first["outside_low"] > second["outside_high"]
    assert first["accuracy"] == 1
    # the mark suffices, and what is drawn in the middle says nothing of the class
    assert first["accuracy_object_covered"] > 0.8
    assert first["rest_covered"] < 0.1 < min(row["rest_covered"] for row in table[1:])
    tensors = record.saved_tensors["shortcut.safetensors"]
    assert tensors["classes"][0] == MARKED
    assert tensors["maps"].mean((1, 2)).tolist() == pytest.approx([1.0] * 5, rel=1e-4)
    peak = int(tensors["maps"][0].argmax())
    assert peak // SIDE < 6
    assert peak % SIDE < 6
    own = tensors["outside"][tensors["labels"] == MARKED]
    assert first["outside"] == pytest.approx(float(own.mean()), abs=1e-4)
    assert result.figures[0].file == "figures/classes.png"
    assert len(result.figures) == 2


def test_objects_are_taken_from_masks(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcut, "SHEETS", 0)
    (folder / "strangers").mkdir()
    paths = sorted(folder.rglob("*.png"))
    paths[0].rename(folder / "strangers" / paths[0].name)
    masks = tmp_path / "masks"
    masks.mkdir()
    corner = np.zeros((SIDE, SIDE), np.uint8)
    corner[:6, :6] = 1
    for path in paths[:-1]:
        Image.fromarray(corner).save(masks / path.name)
    record = MemoryRecord()
    findings = Shortcut(network, str(folder), masks).run(record).findings
    assert findings["pictures"] == 5 * EACH - 2
    assert (findings["pictures_of_no_class"], findings["pictures_without_mask"]) == (1, 1)
    assert findings["pixels_outside"] == pytest.approx(1 - 36 / SIDE**2, abs=1e-4)
    # the mark is the object here, so that its class has least outside
    assert findings["classes_by_saliency_outside"][-1]["class"] == network.classes.label(MARKED)
    with pytest.raises(InputError, match=r"no folder of the pictures \(strangers\) is named as a"):
        Shortcut(network, str(folder / "strangers"))
    with pytest.raises(InputError, match="method=magic: no such method"):
        Shortcut(network, str(folder), method="magic")
    for word in ("object", "ignore"):
        with pytest.raises(InputError, match=f"{word}=3: .* write masks=FOLDER too"):
            Shortcut(network, str(folder), **{word: 3})
    with pytest.raises(InputError, match=r"box=1.0: write a share"):
        Shortcut(network, str(folder), box=1.0)
    saliency, factors = Outside.saliency, torch.ones(5 * EACH)
    monkeypatch.setattr(
        Outside,
        "saliency",
        lambda tally, images, places: (
            saliency(tally, images, places) * factors[places][:, None, None]
        ),
    )
    factors[0] = 0
    blank = Shortcut(network, str(folder), masks).run(MemoryRecord()).findings
    assert blank["pictures_without_saliency"] == 1
    assert blank["pictures"] == findings["pictures"] - 1
    shares = record.saved_tensors["shortcut.safetensors"]["outside"]
    assert blank["outside"] == pytest.approx(float(shares[1:].mean()), abs=1e-4)
    factors[:] = 0
    with pytest.raises(InputError, match="score=logit: the saliency of all pictures is 0"):
        Shortcut(network, str(folder), masks).run(MemoryRecord())
    for path in masks.iterdir():
        Image.fromarray(0 * corner).save(path)
    with pytest.raises(InputError, match="masks: no picture of a class has an object"):
        Shortcut(network, str(folder), masks).run(MemoryRecord())
