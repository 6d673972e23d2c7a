"""Adversarial perturbations: ball and box hold after any projection and after 8-bit rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats
from small_worlds import rows_of

from synth.core import Rows
from synth.data import to_image
from synth.encodings.canvas import canvas
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.errors import InputError

PICTURES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three noisy 12x16 images with black and white pixels."""
    path = tmp_path_factory.mktemp("pictures")
    for number in range(PICTURES):
        noisy = (
            np.random.default_rng(number)
            .integers(-60, 316, (12, 16, 3))
            .clip(0, 255)
            .astype(np.uint8)
        )
        Image.fromarray(noisy).save(path / f"{number}.png")
    return path


def stored(folder: Path, number: int) -> torch.Tensor:
    pixels = np.asarray(Image.open(folder / f"{number}.png"), dtype=np.float64) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1).float()


def rows_at(*items: int) -> Rows:
    return rows_of(PICTURES).select(torch.tensor(items))


norms = st.sampled_from(["linf", "l2"])


@given(norms, st.one_of(st.none(), st.floats(4e-3, 1)), st.floats(0, 3), st.integers(0, 9))
def test_projection_satisfies_ball_and_box_and_is_idempotent(
    folder: Path, norm: str, epsilon: float | None, width: float, seed: int
) -> None:
    encoding = Perturbation(images=str(folder), epsilon=epsilon, norm=norm, size=(12, 16))
    rows = rows_at(2, 0, 1, 1)
    genome = rows_of(4, seed).normal(3, 12, 16) * width
    inside = encoding.project(genome, rows)
    pictures = torch.stack([stored(folder, item) for item in rows.item.tolist()])
    images = pictures.double() + inside.double()
    assert images.min() >= -1e-7
    assert images.max() <= 1 + 1e-7
    if epsilon is not None:
        flat = inside.double().flatten(1)
        lengths = flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)
        assert (lengths <= epsilon * (1 + 1e-5) + 1e-7).all()
    torch.testing.assert_close(encoding.project(inside, rows), inside, atol=2e-7, rtol=1e-5)
    torch.testing.assert_close(encoding.decode(inside, rows), pictures + inside, atol=1e-6, rtol=0)
    if epsilon is None or (norm == "linf" and width * 5 < epsilon):
        torch.testing.assert_close(
            encoding.decode(inside, rows), (pictures + genome).clamp(0, 1), atol=1e-6, rtol=0
        )


@given(st.integers(1, 64), st.integers(0, 9))
def test_rounding_to_8_bits_stays_in_the_ball(folder: Path, levels: int, seed: int) -> None:
    encoding = Perturbation(images=str(folder), epsilon=levels / 255, size=(12, 16))
    rows = rows_at(0, 1, 2)
    genome = encoding.project(rows_of(3, seed).normal(3, 12, 16), rows)
    for number, picture in enumerate(encoding.decode(genome, rows)):
        saved = np.asarray(to_image(picture), dtype=int)
        original = np.asarray(Image.open(folder / f"{number}.png"), dtype=int)
        assert np.abs(saved - original).max() <= levels
        # normal steps of deviation 1 reach the bound somewhere
        assert np.abs(saved - original).max() == levels


def test_the_nearest_point_of_each_ball(folder: Path) -> None:
    genome = rows_of(3).normal(3, 12, 16) * 4e-3
    grey = torch.full((3, 3, 12, 16), 0.5)  # far from the bounds of the box
    for norm, epsilon in (("linf", 1 / 255), ("l2", 4e-2)):
        encoding = Perturbation(images=str(folder), epsilon=epsilon, norm=norm, size=(12, 16))
        encoding.clean_images = grey
        if norm == "linf":
            expected = genome.numpy().clip(-epsilon, epsilon)
        else:
            length = np.sqrt((genome.numpy().reshape(3, -1) ** 2).sum(1)).reshape(3, 1, 1, 1)
            expected = genome.numpy() * np.minimum(1, epsilon / length)
        np.testing.assert_allclose(
            encoding.project(genome, rows_of(3)).numpy(), expected, atol=1e-7
        )


@pytest.mark.parametrize("epsilon", [0.004, 0.01, 0.0314, 0.0313726, 8 / 255, 0.1, 0.99])
def test_the_saved_image_lies_in_the_ball_for_any_radius(folder: Path, epsilon: float) -> None:
    encoding = Perturbation(images=str(folder), epsilon=epsilon, size=(12, 16))
    rows = rows_of(3)
    images = encoding.decode(encoding.project(rows.normal(3, 12, 16), rows), rows)
    saved = (images * 255).round() / 255
    assert (saved - encoding.originals(rows)).abs().max() <= epsilon + 1e-6


def test_a_radius_below_one_level_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"encoding\.epsilon=0\.002: below one of 256 levels"):
        Perturbation(images=str(folder), epsilon=0.002)


def test_rows_take_their_clean_image_by_item(folder: Path) -> None:
    encoding = Perturbation(images=str(folder), size=(12, 16))
    assert list(encoding.names) == ["0.png", "1.png", "2.png"]
    rows = rows_at(2, 0, 2)
    nothing = torch.zeros(3, 3, 12, 16)
    for place, item in enumerate((2, 0, 2)):
        torch.testing.assert_close(encoding.decode(nothing, rows)[place], stored(folder, item))
        torch.testing.assert_close(encoding.originals(rows)[place], stored(folder, item))
    assert torch.equal(encoding.start(rows) + encoding.baseline(rows), nothing)


def test_a_single_image_serves_any_number_of_rows(folder: Path) -> None:
    encoding, rows = Perturbation(image=str(folder / "1.png"), size=(12, 16)), rows_of(4)
    assert len(encoding.names) == 1
    assert encoding.decode(encoding.start(rows), rows).shape == (4, 3, 12, 16)
    original = encoding.originals(rows)
    assert original.shape == (4, 3, 12, 16)
    assert all(torch.equal(single, stored(folder, 1)) for single in original)


def test_random_starts_fill_the_ball(folder: Path) -> None:
    rows = rows_of(300, "random")
    grey = torch.full((1, 3, 12, 16), 0.5)
    square = Perturbation(
        image=str(folder / "0.png"), epsilon=25 / 255, start="random", size=(12, 16)
    )
    square.clean_images = grey
    values = square.start(rows).double()
    assert stats.kstest(values[:40].flatten().numpy() / (50 / 255) + 0.5, "uniform").pvalue > 0.01
    ball = Perturbation(
        image=str(folder / "0.png"), epsilon=2.0, norm="l2", start="random", size=(12, 16)
    )
    ball.clean_images = grey
    flat = ball.start(rows).double().flatten(1)
    lengths = flat.norm(dim=1)
    assert stats.kstest(lengths.numpy() / 2.0, "uniform").pvalue > 0.01
    # isotropic directions
    directions = flat / lengths[:, None]
    cosines = directions @ directions.T - torch.eye(300)
    assert cosines.abs().max() < 6 / (3 * 12 * 16) ** 0.5


def test_starts_in_the_corners_of_the_ball(folder: Path) -> None:
    rows = rows_of(200, "signs")
    for start, drawn in (("signs", 12 * 16), ("stripes", 16)):
        encoding = Perturbation(
            image=str(folder / "0.png"), epsilon=8 / 255, start=start, size=(12, 16)
        )
        encoding.clean_images = torch.full((1, 3, 12, 16), 0.5)
        signs = encoding.start(rows) * 255 / 8
        torch.testing.assert_close(signs.abs(), torch.ones_like(signs))
        ups = int((signs[..., : drawn // 16, :] > 0).sum())
        assert stats.binomtest(ups, 200 * 3 * drawn).pvalue > 0.01
        assert (signs[:, :, :1] == signs).all() == (start == "stripes")
        assert not (signs[:, :1] == signs).all()
        assert torch.equal(encoding.start(rows.select(torch.tensor([7]))) * 255 / 8, signs[7:8])
        ball = Perturbation(
            image=str(folder / "0.png"), epsilon=2.0, norm="l2", start=start, size=(12, 16)
        )
        ball.clean_images = torch.full((1, 3, 12, 16), 0.5)
        torch.testing.assert_close(ball.start(rows).flatten(1).norm(dim=1), torch.full((200,), 2.0))


def test_another_size_and_transfer(folder: Path) -> None:
    encoding = Perturbation(images=str(folder), epsilon=0.1, size=(12, 16))
    large = encoding.at((24, 32))
    rows = rows_of(PICTURES)
    assert large.originals(rows).shape == (3, 3, 24, 32)
    assert encoding.originals(rows).shape == (3, 3, 12, 16)
    flat = torch.full((3, 3, 12, 16), 0.05)
    torch.testing.assert_close(encoding.transfer(flat, large), torch.full((3, 3, 24, 32), 0.05))
    assert torch.equal(encoding.to(torch.device("cpu")).clean_images, encoding.clean_images)


def test_wrong_settings_are_refused(folder: Path) -> None:
    image = str(folder / "0.png")
    for options, message in (
        ({"norm": "l1"}, r"encoding\.norm=l1: write linf or l2"),
        ({"epsilon": -0.1}, r"encoding\.epsilon=-0\.1"),
        ({"epsilon": float("nan")}, r"epsilon=nan"),
        ({"epsilon": 8.0}, r"write 8\.0/255 as 0\.0314"),
        ({"start": "noise"}, r"encoding\.start=noise"),
        ({"images": image}, "images= names what is changed already"),
    ):
        with pytest.raises(InputError, match=message):
            Perturbation(image=image, **options)
    with pytest.raises(InputError, match="a perturbation needs a picture"):
        Perturbation()


def test_a_canvas_is_pixels_or_a_perturbation(folder: Path) -> None:
    blank = canvas("zeros", size=16, noise=0.3)
    assert isinstance(blank, Pixels)
    assert (blank.kind, blank.size, blank.noise) == ("zeros", (16, 16), 0.3)
    single = canvas(image=str(folder / "0.png"), epsilon=0.5, norm="l2", size=(12, 16))
    assert isinstance(single, Perturbation)
    assert (single.epsilon, single.norm, len(single.names)) == (0.5, "l2", 1)
    several = canvas(images=[str(folder / "0.png"), str(folder / "2.png")])
    assert isinstance(several, Perturbation)
    assert (several.epsilon, list(several.names)) == (None, ["0.png", "2.png"])
    with pytest.raises(InputError, match="a radius needs a picture"):
        canvas(epsilon=0.1)


def test_white_and_black_have_a_gradient_as_grey_has(tmp_path: Path) -> None:
    """A clamp has none there: its white and black pixels would never change again."""
    tones = np.repeat(np.array([0, 128, 255], dtype=np.uint8), 3 * 9).reshape(3, 9, 3).repeat(3, 0)
    Image.fromarray(tones).save(tmp_path / "tones.png")
    encoding, rows = Perturbation(str(tmp_path / "tones.png"), size=9), rows_of(1, "tones")
    genome = encoding.start(rows).requires_grad_()
    (slope,) = torch.autograd.grad(encoding.decode(genome, rows).sum(), genome)
    assert bool((slope == 1).all())
    beyond = torch.full_like(genome, 1.5).requires_grad_()
    (slope,) = torch.autograd.grad(encoding.decode(beyond, rows).sum(), beyond)
    assert bool((slope == 0).all())


def test_with_levels_every_image_is_a_file_exactly() -> None:
    encoding = Perturbation(image="china", epsilon=6.5 / 255, levels=True).at((16, 16))
    rows = rows_of(1)
    genome = encoding.project(rows.normal(3, 16, 16) * 0.02, rows)
    values = encoding.decode(genome, rows) * 255
    torch.testing.assert_close(values, values.round(), rtol=0, atol=1e-4)
    torch.testing.assert_close(encoding.project(genome, rows), genome, rtol=0, atol=1e-6)
    assert 0 < float(genome.abs().max()) <= 6 / 255 + 1e-6
    with pytest.raises(
        InputError,
        match=r"encoding\.levels=true, encoding\.eight_bit=false: whole levels are rounded",
    ):
        Perturbation(image="china", levels=True, eight_bit=False)
