"""Pictures from tensors, arrays and Pillow images: exact, and refused where they are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from synth.data.arrays import picture_of, pictures_of
from synth.errors import InputError


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_all_forms_of_an_image_are_the_same_picture(seed: int, whole_levels: bool) -> None:
    values = torch.rand(3, 9, 12, generator=torch.Generator().manual_seed(seed))
    if whole_levels:
        values = (values * 255).round() / 255
    picture = picture_of(values, "mine")
    assert torch.equal(picture.at((9, 12)), values)
    assert (picture.values is None) == whole_levels
    assert torch.equal(picture_of(values.permute(1, 2, 0).numpy()).at((9, 12)), values)
    eight_bit = (values * 255).round().to(torch.uint8)
    forms = (eight_bit, eight_bit.permute(1, 2, 0).contiguous().numpy(), picture.image)
    for form in forms:
        assert torch.equal(picture_of(form).at((9, 12)), eight_bit.float() / 255)
    batch = pictures_of(torch.stack([values, 1 - values]))
    assert [entry.name for entry in batch] == ["000", "001"]
    assert torch.equal(batch[1].at((9, 12)), 1 - values)


def test_fine_values_are_scaled_as_pillow_scales_a_file() -> None:
    rows = torch.linspace(0, 1, 48)[:, None].expand(48, 80)
    columns = torch.linspace(0, 1, 80).expand(48, 80)
    values = torch.stack([rows, columns, 1 - rows]) * 0.999
    fine = picture_of(values)
    assert fine.values is not None
    levels = picture_of((values * 255).round() / 255)
    for size in ((24, 40), (30, 30), (16, 64)):
        assert (fine.at(size) - levels.at(size)).abs().max() < 0.02


def test_grey_images_have_three_equal_channels() -> None:
    grey = torch.rand(1, 8, 8)
    assert torch.equal(picture_of(grey).at((8, 8)), grey.expand(3, -1, -1))
    assert torch.equal(picture_of(grey[0]).at((8, 8)), grey.expand(3, -1, -1))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (torch.rand(3, 8, 8) * 255, r"values from .* write RGB in \[0, 1\], divided by 255"),
        (torch.randn(3, 32, 32), r"values from .* before any normalisation"),
        (torch.full((3, 8, 8), torch.nan), "values from nan to nan"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "values of type int64; write floats"),
        (torch.zeros(5), "an array of 5 values"),
        (torch.zeros(2, 4, 8, 8), "an array of 2x4x8x8 values"),
        (torch.zeros(3, 4, 8), "8x4 pixels; the smallest side must have 8"),
        (torch.rand(2, 3, 8, 8), "2 images where one is meant"),
        (np.zeros((0, 3, 8, 8)), "an array of 0x3x8x8 values"),
        (Image.new("RGB", (4, 9)), "4x9 pixels"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(
    array: Tensor | np.ndarray | Image.Image, message: str
) -> None:
    with pytest.raises(InputError, match=f"^image: {message}") as error:
        picture_of(array)
    assert "\n" not in str(error.value)
