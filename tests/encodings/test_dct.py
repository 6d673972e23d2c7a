"""The DCT encoding, against SciPy's inverse transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import idctn
from small_worlds import rows_of

from synth.data import IMAGENET_MEAN
from synth.encodings.dct import Dct
from synth.encodings.fourier import COLOUR
from synth.errors import InputError

MEAN = np.log(np.array(IMAGENET_MEAN) / (1 - np.array(IMAGENET_MEAN))).reshape(3, 1, 1)
SIZES = [(16, 16), (18, 27), (64, 40)]


def amplitudes(frequencies: int, contrast: float, falloff: float) -> np.ndarray:
    """Amplitudes that fall with the frequency; the sum of their squares is the contrast squared."""
    along = np.arange(frequencies)
    fall = np.array([[1 / max(1.0, np.hypot(u, v)) ** falloff for u in along] for v in along])
    return contrast * fall / np.sqrt((fall**2).sum())


@pytest.mark.parametrize(("h", "w"), SIZES)
@pytest.mark.parametrize("decorrelated", [True, False])
@pytest.mark.parametrize("falloff", [0.0, 1.0, 1.5])
def test_decode_is_scipys_inverse_transform(
    h: int, w: int, decorrelated: bool, falloff: float
) -> None:
    encoding = Dct((h, w), 10, contrast=1.3, falloff=falloff, decorrelated=decorrelated)
    rows = rows_of(3)
    genome = encoding.start(rows)
    assert genome.shape == (3, 3, 10, 10)
    spectrum = np.zeros((3, 3, h, w))
    spectrum[..., :10, :10] = genome.numpy() * amplitudes(10, 1.3, falloff)
    # times sqrt(h w): amplitudes of waves, independent of the size
    logit = idctn(spectrum, axes=(2, 3), norm="ortho") * np.sqrt(h * w)
    if decorrelated:
        colour = COLOUR.numpy() / np.sqrt((COLOUR.numpy() ** 2).sum(1).mean())
        logit = np.moveaxis(np.moveaxis(logit, 1, -1) @ colour.T, -1, 1)
    np.testing.assert_allclose(
        encoding.decode(genome, rows).numpy(), 1 / (1 + np.exp(-logit - MEAN)), atol=2e-6
    )


def test_the_baseline_is_the_mean_colour() -> None:
    encoding, rows = Dct((10, 12), 4), rows_of(2)
    picture = encoding.decode(torch.zeros(2, 3, 4, 4) + encoding.baseline(rows), rows)
    torch.testing.assert_close(
        picture, torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1).expand(2, 3, 10, 12)
    )
    loud = 100 * rows.normal(3, 4, 4)
    assert encoding.project(loud, rows) is loud


@pytest.mark.parametrize("falloff", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("frequencies", [4, 16])
@pytest.mark.parametrize("decorrelated", [True, False])
def test_a_normal_genome_has_the_requested_contrast(
    falloff: float, frequencies: int, decorrelated: bool
) -> None:
    encoding = Dct(32, frequencies, contrast=0.8, falloff=falloff, decorrelated=decorrelated)
    rows = rows_of(400, "contrast")
    logits = encoding.decode(encoding.start(rows), rows).double().logit().numpy() - MEAN
    assert float((logits**2).mean()) ** 0.5 == pytest.approx(0.8, rel=0.05)


@pytest.mark.parametrize("times", [3, 5])
def test_a_genome_is_the_same_picture_at_every_size(times: int) -> None:
    small, rows = Dct((12, 18), 8), rows_of(2)
    large = small.at((12 * times, 18 * times))
    assert small.scalable
    genome = small.start(rows)
    assert small.transfer(genome, large) is genome
    # an odd number of pixels for each old one: the middle pixel is at the same position
    middle = slice(times // 2, None, times)
    torch.testing.assert_close(
        large.decode(genome, rows)[..., middle, middle], small.decode(genome, rows)
    )


def test_waves_too_fine_for_a_picture_are_left_out() -> None:
    encoding, rows = Dct((8, 9), 16), rows_of(2)
    genome = encoding.start(rows)
    picture = encoding.decode(genome, rows)
    genome[:, :, 8:] = 0
    genome[:, :, :, 9:] = 0
    assert torch.equal(encoding.decode(genome, rows), picture)


def test_gradient_by_finite_differences() -> None:
    encoding, rows = Dct((12, 9), 5), rows_of(1)
    weights = rows_of(1, "weights").normal(3, 12, 9)
    genome = encoding.start(rows).requires_grad_()
    (gradient,) = torch.autograd.grad((encoding.decode(genome, rows) * weights).sum(), genome)
    way = rows_of(1, "way").normal(3, 5, 5)
    with torch.no_grad():
        ahead, behind = (
            encoding.decode(genome + sign * 1e-2 * way, rows).double() for sign in (1, -1)
        )
    slope = float(((ahead - behind) * weights).sum() / 2e-2)
    assert float((gradient * way).sum()) == pytest.approx(slope, rel=2e-3)


def test_starts_of_another_spread() -> None:
    rows = rows_of(20)
    assert float(Dct(16, sd=0.2).start(rows).std()) == pytest.approx(0.2, rel=0.03)
    assert float(Dct(16, sd=0.0).start(rows).abs().max()) == 0
    other = Dct(16, 5, 0.2, 0.7, 1.5, False).at((9, 9)).to(torch.device("cpu"))
    assert (other.size, other.frequencies, other.sd, other.contrast, other.falloff) == (
        (9, 9),
        5,
        0.2,
        0.7,
        1.5,
    )
    assert not other.decorrelated


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frequencies": 0}, r"encoding\.frequencies=0: write 1 to 512"),
        ({"frequencies": 513}, r"encoding\.frequencies=513"),
        ({"sd": -1.0}, r"encoding\.sd=-1\.0"),
        ({"contrast": 0.0}, r"encoding\.contrast=0\.0"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dct(8, **wrong)
