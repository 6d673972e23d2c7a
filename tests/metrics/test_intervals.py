"""Intervals, against SciPy's and against the normal approximation where that holds."""

from __future__ import annotations

import math
import random
from statistics import fmean, median

import pytest
from scipy.stats import binomtest

from synth.metrics.intervals import bootstrap, median_interval, middle, text, wilson


@pytest.mark.parametrize(("hits", "counted"), [(0, 1), (0, 7), (3, 4), (9, 20), (5, 5), (40, 300)])
def test_wilson_is_that_of_scipy(hits: int, counted: int) -> None:
    expected = binomtest(hits, counted).proportion_ci(0.95, method="wilson")
    assert wilson(hits, counted) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_bootstrap_of_a_mean_is_that_of_the_normal_distribution() -> None:
    draws = random.Random(1)
    values = [draws.gauss(3.0, 2.0) for _ in range(400)]
    ends = bootstrap(values, fmean)
    assert ends is not None
    spread = 1.96 * 2.0 / math.sqrt(400)
    assert ends == pytest.approx((fmean(values) - spread, fmean(values) + spread), abs=0.05)
    assert bootstrap(values, fmean) == ends  # the same draws again


def test_failures_are_infinite_in_a_median() -> None:
    assert bootstrap([10.0, 20.0, math.inf], median) == (10.0, math.inf)
    assert bootstrap([10.0], median) is None


def test_the_interval_of_a_median_of_many_holds_it_as_often_as_it_says() -> None:
    draws = random.Random(2)
    values = [draws.expovariate(1.0) for _ in range(400)]
    assert median_interval(values) == pytest.approx(bootstrap(values, median), rel=0.05)
    ends = [median_interval([draws.expovariate(1.0) for _ in range(60)]) for _ in range(400)]
    held = sum(low <= math.log(2) <= high for low, high in ends) / len(ends)
    assert 0.92 <= held <= 0.99
    assert median_interval(values[:7]) == bootstrap(values[:7], median)


def test_numbers_are_written_with_their_interval() -> None:
    rate = {"rate": 0.75, "interval": [0.3006, 0.9544]}
    assert (text(rate), middle(rate)) == ("75 % (30-95)", "75 %")
    passes = {"median": 1234, "interval": [1.234, None], "limit": 5000}
    assert text(passes) == "1,234 (1.23 - > 5,000)"
    assert text(passes | {"median": None, "interval": [None, None]}) == "> 5,000"
    assert text({"median": 3, "interval": None}) == "3"
    assert text(None) == "-"
