"""MACO: the magnitude spectrum of every image is the law's, at any size and after a transfer."""

from __future__ import annotations

import math

import pytest
import torch
from small_worlds import rows_of
from torch import Tensor

from synth.encodings.fourier import COLOUR
from synth.encodings.maco import AMPLITUDE, FALLOFF, MEAN, Maco
from synth.errors import InputError

SIZES = [(16, 16), (18, 27), (33, 20), (21, 15)]


def spectrum_of(images: Tensor) -> Tensor:
    """The spectrum, orthonormal, of the decorrelated logits of pictures; float64."""
    logits = torch.einsum(
        "dc,nchw->ndhw", torch.linalg.inv(COLOUR.double()), images.double().logit()
    )
    return torch.fft.fft2(logits, norm="ortho")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("far", [0.0, 1.0, 100.0])
def test_the_magnitudes_are_the_law_whatever_the_phases(size: tuple[int, int], far: float) -> None:
    encoding, rows = Maco(size, contrast=0.7), rows_of(2, "maco")
    genome = encoding.start(rows)
    genome = genome + far * rows.fold_in(1).normal(*genome.shape[1:])
    spectrum = spectrum_of(encoding.decode(genome, rows))
    side = math.sqrt(size[0] * size[1])
    for channel in range(3):
        for row in range(size[0]):
            for column in range(size[1]):
                waves = (
                    math.hypot(
                        min(row, size[0] - row) / size[0], min(column, size[1] - column) / size[1]
                    )
                    * side
                )
                law = (
                    0.7 * side * AMPLITUDE[channel] / waves ** FALLOFF[channel]
                    if waves
                    else side * abs(MEAN[channel])
                )
                assert spectrum[:, channel, row, column].abs().tolist() == pytest.approx(
                    [law] * 2, rel=1e-3, abs=1e-4
                )


def test_phases_start_uniform_and_change_the_image() -> None:
    encoding, rows = Maco((32, 32)), rows_of(8, "maco")
    genome = encoding.start(rows)
    assert float(genome.abs().max()) <= math.pi
    assert abs(float(genome.mean())) < 0.02
    assert float(genome.std()) == pytest.approx(math.pi / math.sqrt(3), rel=0.02)
    images = encoding.decode(genome, rows)
    torch.testing.assert_close(
        encoding.decode(genome + 2 * math.pi, rows), images, rtol=0, atol=1e-4
    )
    # a phase linear in the frequency is a shift
    down, right = torch.fft.fftfreq(32)[:, None], torch.fft.rfftfreq(32)[None]
    shifted = encoding.decode(genome - 2 * math.pi * (3 * down + 5 * right), rows)
    inner = encoding.magnitude.clone()
    inner[:, 16], inner[:, :, 16] = 0, 0  # the Nyquist frequencies have no phase
    encoding.magnitude = inner
    images = encoding.decode(genome, rows)
    shifted = encoding.decode(genome - 2 * math.pi * (3 * down + 5 * right), rows)
    torch.testing.assert_close(shifted, images.roll((3, 5), (2, 3)), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("small", "large"), [((16, 16), (32, 32)), ((15, 20), (30, 41)), ((16, 16), (24, 12))]
)
def test_transfer_copies_low_frequencies(small: tuple[int, int], large: tuple[int, int]) -> None:
    before, after, rows = Maco(small), Maco(large), rows_of(2, "maco")
    genome = before.start(rows)
    carried = before.transfer(genome, after)
    assert carried.shape == after.start(rows).shape
    assert torch.equal(before.transfer(genome, after), carried)
    old, new = (
        spectrum_of(it.decode(g, rows)).angle() for it, g in ((before, genome), (after, carried))
    )
    for row in range(
        -(min(small[0], large[0]) - 1) // 2 + 1, (min(small[0], large[0]) - 1) // 2 + 1
    ):
        for column in range((min(small[1], large[1]) - 1) // 2 + 1):
            if (row, column) != (0, 0):
                turned = old[:, :, row, column] - new[:, :, row, column]
                assert turned.cos().flatten().tolist() == pytest.approx([1.0] * 6, abs=1e-3)
    # transferred back, frequencies that both sizes have are unchanged
    again = after.transfer(carried, before)
    middle = slice(1, (min(small[1], large[1]) - 1) // 2 + 1)
    torch.testing.assert_close(again[:, :, 0, middle], genome[:, :, 0, middle], rtol=0, atol=1e-5)


def test_a_contrast_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match=r"encoding\.contrast=0"):
        Maco(contrast=0.0)
