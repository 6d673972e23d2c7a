"""The probe saliency_segmentation: an object of another colour than the ground is cut out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import optimize
from small_worlds import wrapped
from torch import Tensor, nn

from synth.probes.attributions import graph_cut as cuts
from synth.probes.saliency_segmentation import SaliencySegmentation, intersection_over_union
from synth.record.memory_record import MemoryRecord

SIDE = 32


class Redness(nn.Module):
    """Class 0 by red beyond green, wherever it is; the other classes answer 0.1."""

    def forward(self, images: Tensor) -> Tensor:
        red = (images[:, 0] - images[:, 1]).relu().square().mean((1, 2)) * 100
        return torch.stack([red, *[torch.full_like(red, 0.1)] * 4], 1)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three pictures of a red disc on a green ground, and masks of two, of twice the size."""
    draws = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number, (row, column) in enumerate([(10, 10), (20, 14), (16, 22)]):
        disc = (rows - row) ** 2 + (columns - column) ** 2 < 49
        colours = np.where(disc[..., None], (200, 40, 40), (40, 160, 60))
        noisy = (colours + draws.normal(0, 12, colours.shape)).clip(0, 255).astype(np.uint8)
        for name in ("pictures", "masks"):
            (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(noisy).save(tmp_path / "pictures" / f"{number}.png")
        mask = Image.fromarray(disc.repeat(2, 0).repeat(2, 1).astype(np.uint8) * 8)
        mask.save(tmp_path / "masks" / f"{number if number else 'nobody'}.png")
    return tmp_path


def test_the_object_is_cut_out_and_read_again(folders: Path) -> None:
    network = wrapped(Redness(), size=(SIDE, SIDE), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    record = MemoryRecord()
    masks = folders / "masks"
    probe = SaliencySegmentation(network, str(folders / "pictures"), masks, object=8)
    result = probe.run(record)
    findings = result.findings
    assert (findings["pictures_without_mask"], findings["masks_without_picture"]) == (1, 1)
    assert findings["masks_without_object"] == 0
    table = {row["cut"]: row for row in findings["segmentations"]}
    assert table["graph cut"]["iou"] > 0.97
    assert table["threshold"]["iou"] > 0.5
    assert table["graph cut"]["iou"] > 2 * table["centred box"]["iou"]
    assert table["whole picture"]["iou"] == pytest.approx(145 / SIDE**2, abs=1e-4)
    assert table["graph cut"]["class_predicted"] == 1
    tensors = record.saved_tensors["saliency_segmentation.safetensors"]
    assert tensors["masks"].shape == (4, 3, SIDE, SIDE)
    assert (tensors["objects"][0] == 255).all()
    for number, item in enumerate(result.items):
        cut = record.read_back(str(item.file))
        original = record.read_back(str(item.original))
        assert torch.equal(cut, original * tensors["masks"][2, number])
        logits = network(cut[None])
        assert item.predicted_index == int(logits.argmax())
        assert item.confidence == pytest.approx(float(logits.softmax(1)[0, 0]), abs=1e-5)
        assert ("iou_graph_cut" in item.extra) == (number > 0)
    assert len(result.figures) == 3


def test_the_cut_is_the_minimum_of_its_energy() -> None:
    draws = np.random.default_rng(0)
    pixels, gains = draws.random((5, 6, 3)), draws.normal(0, 160, (5, 6))
    chosen = cuts._cut(pixels, gains)
    pairs, squares = [], []
    for row, column in np.ndindex(5, 6):
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
            other = (row + down, column + across)
            if other[0] < 5 and 0 <= other[1] < 6:
                pairs.append((6 * row + column, 6 * other[0] + other[1], np.hypot(down, across)))
                squares.append(((pixels[row, column] - pixels[other]) ** 2).sum())
    beta = 1 / (2 * np.mean(squares))
    dear = [
        50 * np.exp(-beta * square) / pair[2] for square, pair in zip(squares, pairs, strict=True)
    ]
    # the same as a linear programme: x of pixels in [0, 1], y of pairs >= |x_p - x_q|
    costs = np.concatenate([-gains.ravel(), dear])
    rows = np.zeros((2 * len(pairs), len(costs)))
    for number, (first, second, _) in enumerate(pairs):
        rows[2 * number : 2 * number + 2, [first, second]] = [[1, -1], [-1, 1]]
        rows[2 * number : 2 * number + 2, 30 + number] = -1
    best = optimize.linprog(costs, rows, np.zeros(len(rows)), bounds=(0, 1)).fun
    x = chosen.ravel().astype(float)
    energy = -(gains.ravel() * x).sum()
    energy += sum(
        cost * abs(x[first] - x[second])
        for cost, (first, second, _) in zip(dear, pairs, strict=True)
    )
    assert 0 < chosen.sum() < 30
    assert energy == pytest.approx(best, abs=0.1)  # flows are whole thousandths


def test_thresholds_seeds_and_overlaps() -> None:
    saliency = torch.full((20, 20), 0.1)
    saliency[5:15, 8:18] = 1.0
    inside = torch.zeros(20, 20, dtype=torch.bool)
    inside[5:15, 8:18] = True
    assert torch.equal(cuts.thresholded(saliency), inside)
    marks = cuts.seeds(torch.arange(400.0).view(20, 20))
    assert ((marks == 1).sum(), (marks == -1).sum()) == (20, 120)
    for level in (0.5, torch.rand(3, 20, 20)):  # no colour tells the object from the rest
        chosen = cuts.graph_cut(torch.zeros(3, 20, 20) + level, marks)
        assert chosen[marks == 1].all()
        assert not chosen[marks == -1].any()
    assert not cuts.graph_cut(torch.rand(3, 20, 20), cuts.seeds(torch.zeros(20, 20))).any()
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[0, :, :2] = True
    objects = torch.zeros(2, 4, 4, dtype=torch.uint8)
    objects[0, :, :2] = 1
    objects[0, 3] = 2  # does not count
    scores = intersection_over_union(masks, objects)
    assert float(scores[0, 0]) == pytest.approx(4 / 10)
    assert scores[0, 1].isnan()
