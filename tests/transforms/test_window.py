"""Windows are boxes inside the image, scaled up, with the documented distribution; noise."""

from __future__ import annotations

import pytest
import torch
from small_worlds import rows_of
from torch.nn import functional

from synth.errors import InputError
from synth.transforms.noise import Noise
from synth.transforms.window import Window


def ramps(count: int, height: int = 40, width: int = 60) -> torch.Tensor:
    """Images whose first two channels are the position of the pixel, as a share of the image."""
    y = (torch.arange(height) + 0.5)[:, None].expand(height, width) / height
    x = (torch.arange(width) + 0.5)[None].expand(height, width) / width
    return torch.stack([x, y, torch.zeros_like(x)]).expand(count, -1, -1, -1)


def test_the_middle_window_is_the_crop_scaled_up() -> None:
    images = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    window = Window(0.5, 0.0, 0.0)(images, rows_of(1))
    # the outermost pixels are interpolated with pixels outside the box, so they are left out
    whole = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        window[:, :, 1:-1, 1:-1], whole[:, :, 20:60, 30:90][:, :, 1:-1, 1:-1], rtol=0, atol=1e-5
    )
    torch.testing.assert_close(Window(1.0, 0.0, 0.3)(images, rows_of(1)), images, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "spread", "wander"), [(0.4, 0.05, 0.1), (0.1, 0.01, 0.15), (0.7, 0.3, 0.5)]
)
def test_sides_and_middles(side: float, spread: float, wander: float) -> None:
    count = 2000
    windows = Window(side, spread, wander)(ramps(count), rows_of(count, "window"))[:, :2]
    assert float(windows.min()) > 0  # never outside the image
    assert float(windows.max()) < 1
    middles = windows.mean((2, 3))
    widths = (windows[:, 0, 0, -2] - windows[:, 0, 0, 1]) * 60 / 57
    heights = (windows[:, 1, -2, 0] - windows[:, 1, 1, 0]) * 40 / 37
    large = widths > 0.2  # small ones in a corner reach the half pixel beyond the last centre
    torch.testing.assert_close(widths[large], heights[large], rtol=0.05, atol=5e-3)
    reference = (side + spread * torch.randn(20000)).clamp(0.05, 1)
    assert float(widths.mean()) == pytest.approx(float(reference.mean()), abs=0.02)
    assert float(widths.std()) == pytest.approx(float(reference.std()), abs=0.02)
    room = (1 - reference[:, None]) / 2
    where = 0.5 + torch.minimum(torch.maximum(wander * torch.randn(20000, 2), -room), room)
    assert middles.mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    assert float(middles.std(0).mean()) == pytest.approx(float(where.std(0).mean()), abs=0.02)


def test_noise_is_normal_and_independent_between_rows() -> None:
    rows = rows_of(3, "noise")
    grey = torch.full((3, 3, 50, 50), 0.5)
    noise = Noise(0.08)(grey, rows) - grey
    assert float(noise.std()) == pytest.approx(0.08, rel=0.02)
    assert abs(float((noise[0] * noise[1]).mean())) < 3e-4
    white = Noise(0.08)(torch.ones_like(grey), rows)
    assert float(white.max()) == 1.0
    assert torch.equal(Noise(0.0)(grey, rows), grey)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"side": 0.0}, "side=0"), ({"side": 1.5}, "side=1.5"), ({"spread": -1.0}, "spread=-1")],
)
def test_wrong_settings_are_refused(wrong: dict[str, float], word: str) -> None:
    with pytest.raises(InputError, match=word):
        Window(**wrong)
    with pytest.raises(InputError, match=r"transform\.noise\.sd=-1"):
        Noise(-1.0)
