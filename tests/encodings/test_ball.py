"""Projection onto norm balls and their starting points, against the definitions."""

from __future__ import annotations

import pytest
import torch
from small_worlds import rows_of

from synth.encodings._ball import STARTS, Ball

SHAPE = (3, 6, 5)


def test_the_nearest_point_of_the_ball_is_nearer_than_any_other() -> None:
    far = 0.3 * rows_of(4, "far").normal(*SHAPE)
    for norm, epsilon in (("linf", 26 / 255), ("l2", 0.7)):
        ball = Ball(epsilon, norm)
        near = ball.project(far)
        for kind in STARTS:
            other = ball.start(kind, rows_of(4, "other"), SHAPE)
            torch.testing.assert_close(ball.project(other), other)
            assert bool(
                (
                    (far - near).flatten(1).norm(dim=1)
                    <= (far - other).flatten(1).norm(dim=1) + 1e-6
                ).all()
            )


def test_random_fills_the_ball_and_corners_are_signs() -> None:
    rows = rows_of(2000, "fill")
    values = Ball(0.2).start("random", rows, SHAPE)
    assert float(values.mean()) == pytest.approx(0, abs=1e-3)
    assert float(values.var()) == pytest.approx((2 * 51 / 255) ** 2 / 12, rel=0.02)
    lengths = Ball(0.2, "l2").start("random", rows, SHAPE).flatten(1).norm(dim=1)
    assert float(lengths.max()) <= 0.2 + 1e-6
    assert float(lengths.mean()) == pytest.approx(0.1, rel=0.05)
    signs = Ball(0.2).start("signs", rows, SHAPE)
    assert torch.equal(signs.abs(), torch.full_like(signs, 51 / 255))
    assert float((signs > 0).float().mean()) == pytest.approx(0.5, abs=0.01)
