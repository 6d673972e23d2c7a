"""The Fourier encoding, against NumPy's transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_worlds import rows_of

from synth.encodings.fourier import Fourier
from synth.errors import InputError

# color_correlation_svd_sqrt and the normalisation of lucid/optvis/param/color.py
LUCID = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
LUCID_NORMALISED = LUCID / np.max(np.linalg.norm(LUCID, axis=0))
SIZES = [(8, 8), (9, 9), (8, 9), (9, 12), (16, 10), (11, 8)]


def frequencies(h: int, w: int) -> np.ndarray:
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    return np.maximum(np.sqrt(fy**2 + fx**2), 1 / max(h, w))


@pytest.mark.parametrize(("h", "w"), SIZES)
@pytest.mark.parametrize("decorrelated", [True, False])
def test_decode_is_numpys_inverse_transform(h: int, w: int, decorrelated: bool) -> None:
    encoding, rows = Fourier((h, w), sd=0.8, decorrelated=decorrelated), rows_of(3)
    genome = encoding.start(rows)
    assert genome.shape == (3, 3, h, w // 2 + 1, 2)
    spectrum = (genome[..., 0].numpy() + 1j * genome[..., 1].numpy()) / frequencies(h, w)
    flat = np.fft.irfft2(spectrum, s=(h, w), norm="ortho") / 4
    if decorrelated:  # lucid: t_flat @ color_correlation_normalized.T, colours in the last axis
        flat = np.moveaxis(np.moveaxis(flat, 1, -1) @ LUCID_NORMALISED.T, -1, 1)
    images = encoding.decode(genome, rows)
    assert images.shape == (3, 3, h, w)
    np.testing.assert_allclose(images.numpy(), 1 / (1 + np.exp(-flat)), atol=3e-6)


def test_the_baseline_is_grey_and_every_genome_is_an_image() -> None:
    encoding, rows = Fourier((10, 12)), rows_of(2)
    zero = torch.zeros_like(encoding.start(rows))
    assert torch.equal(
        encoding.decode(zero + encoding.baseline(rows), rows), torch.full((2, 3, 10, 12), 0.5)
    )
    loud = 100 * rows.normal(3, 10, 7, 2)
    assert encoding.project(loud, rows) is loud
    picture = encoding.decode(loud, rows)
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_the_start_is_normal_of_the_requested_deviation() -> None:
    start = Fourier(64, sd=0.02).start(rows_of(4))
    assert float(start.std()) == pytest.approx(0.02, rel=0.02)
    assert abs(float(start.mean())) < 1e-3
    picture = Fourier(64, sd=0.02).decode(start, rows_of(4))
    assert abs(float(picture.mean()) - 0.5) < 0.05


def between(values: np.ndarray, h: int, w: int, axes: tuple[int, int] = (-2, -1)) -> np.ndarray:
    """Trigonometric interpolation to (h, w) >= the shape of `values`, by SciPy."""
    from scipy.signal import resample

    return resample(resample(values, h, axis=axes[0]), w, axis=axes[1])


@pytest.mark.parametrize(("h", "w"), SIZES)
@pytest.mark.parametrize("times", [2, 3])
def test_a_larger_size_interpolates_the_image(h: int, w: int, times: int) -> None:
    small, rows = Fourier((h, w), sd=0.7), rows_of(3)
    large = small.at((times * h, times * w))
    genome = small.start(rows)
    grown = large.decode(small.transfer(genome, large), rows)
    picture = small.decode(genome, rows)
    np.testing.assert_allclose(grown[..., ::times, ::times].numpy(), picture.numpy(), atol=2e-5)
    logit = torch.logit(picture.double()).numpy()
    if h % 2 and w % 2:  # else the Nyquist frequency has more than one interpolation
        expected = 1 / (1 + np.exp(-between(logit, times * h, times * w)))
        np.testing.assert_allclose(grown.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("old", "new"),
    [((8, 8), (11, 13)), ((9, 9), (12, 10)), ((8, 9), (9, 8)), ((7 + 1, 12), (15, 12))],
)
def test_transfer_there_and_back_is_the_identity(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    small, rows = Fourier(old, sd=0.5), rows_of(2)
    genome = small.start(rows)
    large = small.at((max(old[0], new[0]), max(old[1], new[1])))
    back = large.transfer(small.transfer(genome, large), small)
    h, w = old
    inner = (
        slice(None),
        slice(None),
        [row for row in range(h) if 2 * row != h],
        slice(0, (w - 1) // 2 + 1),
    )
    torch.testing.assert_close(back[inner], genome[inner], atol=1e-5, rtol=1e-5)


def test_transfer_to_the_same_size_changes_nothing() -> None:
    for size in SIZES:
        encoding, rows = Fourier(size), rows_of(2)
        genome = encoding.start(rows)
        torch.testing.assert_close(encoding.transfer(genome, encoding.at(size)), genome)


def test_shrinking_is_a_low_pass() -> None:
    large, rows = Fourier((24, 24), sd=0.5), rows_of(2)
    small = large.at((12, 12))
    genome = large.start(rows)
    genome[:, :, 5:20] = 0  # only frequencies below the Nyquist frequency of (12, 12)
    genome[:, :, :, 5:] = 0
    shrunk = small.decode(large.transfer(genome, small), rows)
    torch.testing.assert_close(
        shrunk, large.decode(genome, rows)[..., ::2, ::2], atol=2e-5, rtol=1e-5
    )


def test_gradient_by_finite_differences() -> None:
    encoding, rows = Fourier((8, 9), sd=0.5), rows_of(1)
    weights = rows_of(1, "weights").normal(3, 8, 9)
    genome = encoding.start(rows).requires_grad_()
    (gradient,) = torch.autograd.grad((encoding.decode(genome, rows) * weights).sum(), genome)
    way = rows_of(1, "way").normal(3, 8, 5, 2)
    with torch.no_grad():
        ahead, behind = (
            encoding.decode(genome + sign * 1e-2 * way, rows).double() for sign in (1, -1)
        )
    slope = float(((ahead - behind) * weights).sum() / 2e-2)
    assert float((gradient * way).sum()) == pytest.approx(slope, rel=2e-3)


def test_a_deviation_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match=r"encoding\.sd=0"):
        Fourier(8, sd=0.0)
