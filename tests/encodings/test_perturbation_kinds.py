"""Perturbations that preserve shape, colours or 8-bit levels of their image; canvases of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import rows_of
from torch import Tensor

from synth.encodings.canvas import canvas
from synth.encodings.perturbation import STARTS, Perturbation
from synth.encodings.pixels import Pixels
from synth.errors import InputError

YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
)  # of NTSC


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A 40x60 image of medium values, far from the bounds of [0, 1]."""
    pixels = np.random.default_rng(0).integers(90, 166, (40, 60, 3)).astype(np.uint8)
    path = tmp_path_factory.mktemp("kinds") / "photograph.png"
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("shape", "longest", "size"),
    [
        ((40, 60), 30, (20, 30)),
        ((60, 40), 30, (30, 20)),
        ((40, 60), 100, (67, 100)),
        ((9, 90), 20, (8, 20)),
    ],
)
def test_longest_sets_the_longer_side_and_preserves_the_shape(
    shape: tuple[int, int], longest: int, size: tuple[int, int], tmp_path: Path
) -> None:
    Image.fromarray(np.full((*shape, 3), 90, np.uint8)).save(tmp_path / "p.png")
    for encoding in (
        Perturbation(str(tmp_path / "p.png"), longest=longest),
        canvas(image=str(tmp_path / "p.png"), longest=longest),
        canvas(start=str(tmp_path / "p.png"), longest=longest),
    ):
        assert encoding.size == size
        assert encoding.start(rows_of(1)).shape == (1, 3, *size)


def test_longest_is_refused_for_several_images_or_with_a_size(photograph: str) -> None:
    for options in ({"image": photograph, "size": 16}, {"images": [photograph, photograph]}):
        with pytest.raises(InputError, match=r"encoding\.longest=30: it is for one picture"):
            Perturbation(longest=30, **options)
    with pytest.raises(InputError, match=r"from 8 to 8192"):
        Perturbation(photograph, longest=9000)


def colours(images: Tensor) -> Tensor:
    return torch.einsum("yc,nchw->nyhw", YIQ, images)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_grey_changes_luminance_and_no_colour(norm: str, photograph: str) -> None:
    epsilon = 0.2 if norm == "linf" else 4.0
    encoding, rows = (
        Perturbation(photograph, epsilon=epsilon, norm=norm, size=(40, 60), grey=True),
        rows_of(3),
    )
    genome = encoding.project(rows.normal(1, 40, 60), rows)
    before, after = encoding.originals(rows), encoding.decode(genome, rows)
    changed = colours(after - before)
    torch.testing.assert_close(changed[:, 1:], torch.zeros(3, 2, 40, 60), atol=1e-4, rtol=0)
    torch.testing.assert_close(changed[:, :1], genome, atol=1e-6, rtol=1e-5)
    difference = (after - before).flatten(1)
    length = difference.abs().amax(1) if norm == "linf" else difference.norm(dim=1)
    torch.testing.assert_close(length, torch.full((3,), 51 / 255 if norm == "linf" else epsilon))
    torch.testing.assert_close(encoding.project(genome, rows), genome)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("start", STARTS)
def test_a_grey_start_lies_in_the_ball_of_pictures(start: str, norm: str, photograph: str) -> None:
    epsilon, rows = (0.2 if norm == "linf" else 4.0), rows_of(50)
    encoding = Perturbation(
        photograph, epsilon=epsilon, norm=norm, start=start, size=(40, 60), grey=True
    )
    genome = encoding.start(rows)
    assert genome.shape == (50, 1, 40, 60)
    difference = (encoding.decode(genome, rows) - encoding.originals(rows)).flatten(1)
    length = difference.abs().amax(1) if norm == "linf" else difference.norm(dim=1)
    assert float(length.max()) <= epsilon + 1e-5
    if start in ("signs", "stripes"):
        torch.testing.assert_close(length, torch.full((50,), epsilon), atol=1e-5, rtol=1e-5)
    if start == "random" and norm == "l2":  # lengths are uniform: their mean is half the radius
        assert float(length.mean()) == pytest.approx(
            epsilon / 2, abs=4 * epsilon / (12 * 50) ** 0.5
        )


def test_values_outside_the_box_are_clipped_channel_by_channel(photograph: str) -> None:
    encoding, rows = Perturbation(photograph, size=(40, 60), grey=True), rows_of(1)
    images = encoding.decode(encoding.project(torch.full((1, 1, 40, 60), 0.5), rows), rows)
    torch.testing.assert_close(images, (encoding.originals(rows) + 0.5).clamp(0, 1))


def test_without_eight_bit_a_radius_may_be_finer_than_a_level(photograph: str) -> None:
    fine = Perturbation(photograph, epsilon=0.001, size=16, eight_bit=False)
    assert (fine.epsilon, fine.eight_bit) == (0.001, False)
    assert Perturbation(photograph, epsilon=0.0314, size=16, eight_bit=False).epsilon == 0.0314
    whole = Perturbation(photograph, epsilon=0.0333, size=16)
    assert (whole.epsilon, whole.eight_bit) == (8 / 255, True)
    rows = rows_of(2)
    assert float(fine.project(rows.normal(3, 16, 16), rows).abs().max()) <= 0.001 + 1e-7
    for other in (fine.at((8, 8)), fine.to(torch.device("cpu"))):
        assert (other.epsilon, other.eight_bit) == (0.001, False)


def test_a_canvas_starts_from_an_image(photograph: str) -> None:
    encoding, rows = canvas(start=photograph, size=(40, 60)), rows_of(1)
    assert isinstance(encoding, Perturbation)
    assert list(encoding.names) == ["photograph.png"]
    pixels = torch.from_numpy(np.array(Image.open(photograph))).permute(2, 0, 1) / 255
    torch.testing.assert_close(encoding.decode(encoding.start(rows), rows)[0], pixels)
    assert isinstance(canvas(start="zeros", size=16), Pixels)
    bounded = canvas(start="china", size=16, epsilon=0.1, grey=True)
    assert (bounded.epsilon, bounded.grey) == (25 / 255, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "nois"}, "start=nois: no such start, and no such picture. Did you mean noise"),
        ({"start": "missing.png"}, r"start=missing\.png: no such file"),
        (
            {"start": "flower", "image": "china"},
            r"start=flower: image= or images= name what is changed already",
        ),
        ({"start": "bogus", "images": ["china"]}, r"start=bogus: "),
        ({"longest": 30}, "longest= and grey= keep something of a picture; write image=PATH"),
        ({"grey": True}, "longest= and grey="),
        ({"epsilon": 0.1}, "a radius needs a picture around which"),
    ],
)
def test_wrong_settings_of_a_canvas_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        canvas(**options)


def test_whole_levels_stay_whole_in_an_l2_ball() -> None:
    encoding = Perturbation("china", epsilon=0.5, norm="l2", levels=True, size=16)
    rows = rows_of(1, "whole")
    values = encoding.project(0.3 * rows.normal(3, 16, 16), rows) * 255
    torch.testing.assert_close(values, values.round(), rtol=0, atol=1e-3)
    assert float(values.norm() / 255) == pytest.approx(
        0.5, abs=0.05
    )  # shortened first, then rounded
