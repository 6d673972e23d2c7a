"""Contact sheets: sizes to look at, even rows, labels that fit."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFont

from synth.data.sheet import GAP, joined, shortened, sized


def plain(
    *colours: tuple[int, int, int], size: tuple[int, int] = (40, 30)
) -> list[tuple[Image.Image, str]]:
    return [(Image.new("RGB", size, colour), str(place)) for place, colour in enumerate(colours)]


def places(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The box that one colour fills: left, top, right, bottom."""
    expected = (np.asarray(sheet) == colour).all(axis=2)
    rows, columns = np.flatnonzero(expected.any(axis=1)), np.flatnonzero(expected.any(axis=0))
    assert expected.sum() == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_rows_are_as_even_as_they_can_be() -> None:
    colours = [(200, 10 * place, 0) for place in range(7)]
    sheet = joined(plain(*colours), 6)
    boxes = [places(sheet, colour) for colour in colours]
    assert [box[0] for box in boxes] == [
        GAP + place % 4 * (40 + GAP) for place in range(7)
    ]  # 4 and 3, not 6 and 1
    assert {box[1] for box in boxes[:4]} == {GAP}
    assert len({box[1] for box in boxes[4:]}) == 1
    assert boxes[4][1] > boxes[0][3]
    assert {(right - x, bottom - top) for x, top, right, bottom in boxes} == {(40, 30)}
    assert sheet.width == 4 * (40 + GAP) + GAP


def test_pictures_of_other_shapes_stand_in_the_middle_of_their_place() -> None:
    wide, high = plain((200, 0, 0), size=(60, 20))[0], plain((0, 200, 0), size=(20, 60))[0]
    sheet = joined([wide, high], 6)
    assert places(sheet, (200, 0, 0)) == (GAP, GAP + 20, GAP + 60, GAP + 40)
    assert places(sheet, (0, 200, 0)) == (GAP + 60 + GAP + 20, GAP, GAP + 60 + GAP + 40, GAP + 60)


def test_a_long_name_stays_below_its_picture() -> None:
    short = joined([(Image.new("RGB", (60, 20)), "a"), (Image.new("RGB", (60, 20)), "b" * 200)], 6)
    right_of_it = np.asarray(short)[:, -GAP:]
    assert (right_of_it == 255).all()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 48), (192, 144)),
        ((200, 100), (200, 100)),
        ((300, 300), (250, 250)),
        ((500, 1), (250, 1)),
    ],
)
def test_small_pictures_grow_by_a_whole_number_and_large_ones_shrink(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert sized(Image.new("RGB", size), 200, 250).size == expected


def test_words_lose_their_accents_which_the_type_does_not_have() -> None:
    font = ImageFont.load_default(16)
    assert shortened("crêpe", font, 200) == "crepe"
    cut = shortened("a rather long name", font, 60)
    assert cut.endswith("...")
    assert font.getlength(cut) <= 60
