"""Held-out splits: the same pictures at every size, and disjoint from the training set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from synth.data.split import HeldOutSplit
from synth.errors import InputError

COUNT = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve plain pictures in two class folders, same file names; level 10 n is number n."""
    for number in range(COUNT):
        path = tmp_path / ("teapot", "lemon")[number % 2]
        path.mkdir(exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), 10 * number, dtype=np.uint8)).save(
            path / f"{number // 2}.png"
        )
    return tmp_path


def colours(pixels: torch.Tensor) -> set[int]:
    return {int(level) // 10 for level in pixels[:, 0, 0, 0]}


def test_the_two_parts_are_all_and_never_meet(folder: Path) -> None:
    for holdout, count in ((0, 0), (5, 5), (0.25, 3), (11, 11)):
        split = HeldOutSplit(str(folder), holdout).at((16, 16))
        assert (len(split.train), len(split.held_out)) == (COUNT - count, count)
        assert colours(split.train) | colours(split.held_out) == set(range(COUNT))
        assert not colours(split.train) & colours(split.held_out)
        assert split.train.dtype == torch.uint8
        assert split.train.shape[1:] == (3, 16, 16)


def test_the_same_words_give_the_same_parts_at_every_size_and_another_seed_others(
    folder: Path,
) -> None:
    split = HeldOutSplit(str(folder), 4, seed=3).at((16, 16))
    assert torch.equal(HeldOutSplit(str(folder), 4, seed=3).at((16, 16)).held_out, split.held_out)
    assert colours(HeldOutSplit(str(folder), 4, seed=3).at((10, 14)).held_out) == colours(
        split.held_out
    )
    assert (
        len(
            {
                frozenset(colours(HeldOutSplit(str(folder), 4, seed).at((16, 16)).held_out))
                for seed in range(6)
            }
        )
        > 3
    )


def test_a_picture_more_moves_at_most_one_other(folder: Path, tmp_path: Path) -> None:
    before = colours(HeldOutSplit(str(folder), 4).at((16, 16)).held_out)
    paths = sorted(map(str, folder.rglob("*.png")))
    extra = tmp_path / "lemon" / "extra.png"
    Image.fromarray(np.full((20, 20, 3), 200, dtype=np.uint8)).save(extra)
    after = colours(HeldOutSplit([*paths, str(extra)], 4).at((16, 16)).held_out)
    assert len(before - after) <= 1


def test_pictures_are_those_of_the_files(folder: Path) -> None:
    split = HeldOutSplit(str(folder)).at((20, 20))
    stored = [np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.png"))]
    np.testing.assert_array_equal(split.train.permute(0, 2, 3, 1).numpy(), np.stack(stored))


def test_bad_input_is_said_in_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match=r"images: .* write images=FOLDER"):
        HeldOutSplit(None)
    for wrong in (-1, 2.5):
        with pytest.raises(InputError, match=rf"holdout={wrong}: write how many"):
            HeldOutSplit(str(folder), wrong)
    for wrong in (COUNT, 500, 0.99, 0.01):
        with pytest.raises(InputError, match=rf"holdout={wrong}: of 12 pictures .* below 12"):
            HeldOutSplit(str(folder), wrong).at((16, 16))
