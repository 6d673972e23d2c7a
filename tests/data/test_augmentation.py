"""Random crops against numpy's reflection padding, mirror images against numpy's flip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from synth.data.augmentation import Augmentation
from synth.errors import InputError

SIDE = 7


@pytest.fixture
def pictures() -> Tensor:
    """Ten pictures in which no two pixels are alike, so that a window is known by its values."""
    draws = torch.Generator().manual_seed(0)
    return torch.randperm(10 * 3 * SIDE * SIDE, generator=draws).view(10, 3, SIDE, SIDE)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_switched_off_it_only_selects(pictures: Tensor) -> None:
    batch = torch.tensor([3, 3, 9])
    assert torch.equal(Augmentation()(pictures, batch, draws()), pictures[batch])


def test_every_crop_is_a_window_of_the_reflected_picture_each_equally_often(
    pictures: Tensor,
) -> None:
    crop, count = 2, 4000
    batch = torch.arange(10).repeat(count // 10)
    crops = Augmentation(crop=crop)(pictures, batch, draws()).numpy()
    border = ((0, 0), (0, 0), (crop, crop), (crop, crop))
    padded = np.pad(pictures.numpy(), border, mode="reflect")
    windows = {
        padded[row, :, down : down + SIDE, across : across + SIDE].tobytes(): (down, across)
        for row in range(10)
        for down in range(2 * crop + 1)
        for across in range(2 * crop + 1)
    }
    offsets = [windows[picture.tobytes()] for picture in np.ascontiguousarray(crops)]
    often = np.unique(np.array(offsets) @ [5, 1], return_counts=True)[1]
    assert len(often) == 25
    expected = count / 25
    assert (
        (often - expected) ** 2 / expected
    ).sum() < 51.2  # chi squared, 24 degrees of freedom, p = 0.001


def test_mirror_turns_half_of_the_pictures_and_nothing_else(pictures: Tensor) -> None:
    batch = torch.arange(10).repeat(200)
    augmented = Augmentation(mirror=True)(pictures, batch, draws()).numpy()
    plain = pictures[batch].numpy()
    turned = (augmented == plain[..., ::-1]).all((1, 2, 3))
    assert ((augmented == plain).all((1, 2, 3)) ^ turned).all()
    assert turned.mean() == pytest.approx(0.5, abs=0.04)


def test_one_switch_does_not_change_the_draws_of_the_other(pictures: Tensor) -> None:
    batch = torch.arange(10)
    both = Augmentation(crop=3, mirror=True)(pictures, batch, draws(4))
    crops = Augmentation(crop=3)(pictures, batch, draws(4))
    turned = Augmentation(mirror=True)(pictures, batch, draws(4)) != pictures
    for row in range(10):
        assert torch.equal(both[row], crops[row].flip(-1) if turned[row].any() else crops[row])


def test_the_same_draws_give_the_same_batch_and_its_memory_is_channels_last(
    pictures: Tensor,
) -> None:
    augmentation, batch = Augmentation(2, True), torch.arange(10)
    first = augmentation(pictures, batch, draws(1))
    assert torch.equal(first, augmentation(pictures, batch, draws(1)))
    assert not torch.equal(first, augmentation(pictures, batch, draws(2)))
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_borders_that_cannot_be_reflected_are_refused(pictures: Tensor) -> None:
    with pytest.raises(InputError, match="crop=-1"):
        Augmentation(crop=-1)
    with pytest.raises(
        InputError, match="crop=7: must be below the side of the pictures, 7 pixels"
    ):
        Augmentation(crop=7)(pictures, torch.arange(2), draws())
