"""Masks of pictures: paired by name, scaled like them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from synth.data.collection import Collection
from synth.data.masks import Masks, centred_box
from synth.errors import InputError


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Collection:
    """Two pictures of 32 x 48 named alike in two folders, and one of their own name."""
    for name in ("a/0.png", "b/0.png", "b/1.png"):
        _save(tmp_path / "pictures" / name, np.full((32, 48, 3), 100))
    return Collection(str(tmp_path / "pictures"))


def _labels() -> np.ndarray:
    values = np.zeros((32, 48))
    values[:, 24:] = 3  # in the middle 32 x 32: the right half
    values[:16] = 7
    return values


def test_a_mask_is_scaled_and_cropped_like_its_picture(
    tmp_path: Path, pictures: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "masks"
    _save(folder / "a" / "0.png", _labels())
    _save(folder / "b" / "0.png", _labels().repeat(2, 0).repeat(2, 1))  # of twice the size
    _save(folder / "nobody.png", _labels())
    masks = Masks(folder, pictures, values=[3], ignore=7)
    assert masks.missing == [2]
    assert masks.unused == 1
    assert "masks=" in caplog.text
    assert "1 of 3 pictures have none: 1.png" in caplog.text
    assert "1 of 3 belong to no picture" in caplog.text
    expected = torch.zeros(8, 8, dtype=torch.uint8)
    expected[:, 4:] = 1
    expected[:4] = 2
    for place in (0, 1):
        mask = masks.at(place, (8, 8))
        assert mask is not None
        assert torch.equal(mask, expected)
    assert masks.at(2, (8, 8)) is None
    palette = Image.fromarray(_labels().astype(np.uint8), "P")
    palette.putpalette([9, 9, 9] * 256)
    palette.save(folder / "a" / "0.png")
    mask = Masks(folder, pictures, values=3).at(0, (8, 8))
    assert mask is not None
    assert mask.sum() == 16  # indices, not colours
    _save(folder / "a" / "0.png", np.stack([_labels() == 3] * 3, 2) * 255)
    mask = Masks(folder, pictures).at(0, (8, 8))
    assert mask is not None
    assert mask.sum() == 16


def test_masks_that_cannot_be_meant_are_refused(tmp_path: Path, pictures: Collection) -> None:
    folder = tmp_path / "masks"
    with pytest.raises(InputError, match="masks=nowhere: no folder"):
        Masks("nowhere", pictures)
    _save(folder / "x.png", _labels())
    with pytest.raises(InputError, match=r"none of its 1 files is named as a picture \(x.png"):
        Masks(folder, pictures)
    _save(folder / "a" / "0.png", _labels()[:, :32])
    with pytest.raises(InputError, match="32x32 pixels, of another shape than its picture of 48x3"):
        Masks(folder, pictures)
    _save(folder / "a" / "0.png", np.zeros((32, 48, 3)))
    with pytest.raises(InputError, match="a coloured picture has no values to name"):
        Masks(folder, pictures, values=3)
    (folder / "a" / "0.png").unlink()
    (folder / "b").mkdir()
    for name in ("p", "q"):
        _save(folder / name / "0.png", _labels())
    with pytest.raises(InputError, match=r"are both named as 0\.png; put them into folders"):
        Masks(folder, pictures)
    (folder / "q" / "0.png").rename(folder / "b" / "0.png")
    assert Masks(folder, pictures).missing == [2]  # the other one is left for the first
    (folder / "b" / "0.png").rename(folder / "q.png")
    with pytest.raises(
        InputError, match=r"0\.png is named as two pictures, 0\.png in a and b; put"
    ):
        Masks(folder, pictures)
    (folder / "p" / "0.png").unlink()
    Image.fromarray(_labels().astype(np.uint8)).save(folder / "p" / "1.jpg")
    with pytest.raises(InputError, match="JPEG changes the values of a label map"):
        Masks(folder, pictures)


def test_a_centred_box_has_its_share_of_the_picture() -> None:
    box = centred_box((40, 80), 0.25)
    assert box.sum() == 20 * 40
    assert box[10:30, 20:60].all()
    assert not centred_box((40, 80), 0.0).any()
    assert centred_box((40, 80), 1.0).all()
