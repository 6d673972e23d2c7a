"""The pixel encoding: starts, projection onto the box, transfer to other sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_worlds import rows_of

from synth.data.sizes import size_of
from synth.encodings.pixels import IMAGENET_MEAN, Pixels
from synth.errors import InputError


def test_noise_is_normal_around_the_mean_colour() -> None:
    start = Pixels(32, noise=0.05, mean=(0.3, 0.5, 0.7)).start(rows_of(20))
    assert start.shape == (20, 3, 32, 32)
    for channel, mean in enumerate((0.3, 0.5, 0.7)):
        values = start[:, channel].double().flatten().numpy()
        assert stats.kstest((values - mean) / 0.05, "norm").pvalue > 0.01
    wild = Pixels(32, noise=2.0).start(rows_of(4))
    assert wild.min() == 0
    assert wild.max() == 1


def test_the_other_starts() -> None:
    rows = rows_of(5)
    assert torch.equal(Pixels((8, 12), "zeros").start(rows), torch.zeros(5, 3, 8, 12))
    mean = Pixels((8, 12), "mean").start(rows)
    assert torch.equal(mean, torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1).expand(5, 3, 8, 12))
    mean.add_(1)  # a tensor of its own, not a view of one value
    assert torch.equal(
        Pixels((8, 12), "mean").baseline(rows), torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    )
    uniform = Pixels(32, "uniform").start(rows)
    assert stats.kstest(uniform.double().flatten().numpy(), "uniform").pvalue > 0.01
    assert len(uniform.flatten(1).unique(dim=0)) == 5


@given(st.integers(0, 5), st.floats(0, 4))
def test_project_is_the_nearest_in_the_box_and_idempotent(seed: int, width: float) -> None:
    genome, encoding, rows = rows_of(2, seed).normal(3, 8, 8) * width, Pixels(8), rows_of(2)
    inside = encoding.project(genome, rows)
    np.testing.assert_array_equal(inside.numpy(), np.clip(genome.numpy(), 0, 1))
    assert torch.equal(encoding.project(inside, rows), inside)
    assert encoding.decode(inside, rows) is inside


def test_another_size_is_the_same_image() -> None:
    small, large = Pixels((8, 10)), Pixels((8, 10)).at((16, 30))
    assert (small.size, large.size) == ((8, 10), (16, 30))
    ramp = torch.linspace(0.1, 0.9, 10).expand(2, 3, 8, 10)
    grown = small.transfer(ramp, large)
    assert grown.shape == (2, 3, 16, 30)
    exact = torch.linspace(0.1, 0.9, 10)[1:-1].numpy()
    # at the centres of the old pixels
    np.testing.assert_allclose(grown[0, 0, 5, 4:-3:3], exact, atol=1e-3)
    back = large.transfer(grown, small)
    torch.testing.assert_close(back, ramp, atol=0.03, rtol=0)
    extreme = small.transfer((torch.rand(1, 3, 8, 10) > 0.5).float(), large)
    assert extreme.min() >= 0
    assert extreme.max() <= 1
    other = Pixels((8, 10), "uniform", 0.3, (0.1, 0.2, 0.3)).at((9, 9)).to(torch.device("cpu"))
    assert (other.kind, other.noise, other.mean.flatten().tolist()) == (
        "uniform",
        0.3,
        pytest.approx([0.1, 0.2, 0.3]),
    )


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"encoding\.start=nois: no such start\. Did you mean noise\?"
    ):
        Pixels(8, "nois")
    with pytest.raises(InputError, match=r"encoding\.noise=-1"):
        Pixels(8, noise=-1)


@pytest.mark.parametrize(
    ("size", "pair"), [(None, None), (8, (8, 8)), ([9, 8192], (9, 8192)), ((64, 32), (64, 32))]
)
def test_sizes(size, pair) -> None:
    assert size_of(size) == pair


@pytest.mark.parametrize("size", [0, 7, -3, 8193, [16], [16, 16, 16], [16, 7], []])
def test_sizes_out_of_range_are_refused(size) -> None:
    with pytest.raises(
        InputError, match=r"write one number, or \[height, width\], from 8 to 8192 pixels"
    ):
        size_of(size)
