"""Numbers as text, against values worked out by hand."""

import math

import pytest

from synth.gallery.numerals import anything, duration, passes, percent, plain

MINUS, NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0 %"),
        (0.00004, "< 0.1 %"),
        (0.5, "50.0 %"),
        (0.9991, "99.9 %"),
        (0.99996, "99.99 %"),
        (1, "100 %"),
        (12.5, "12.5"),
        (-3.0, f"{MINUS}3"),
        (None, NOTHING),
        (math.nan, NOTHING),
        (math.inf, NOTHING),
        ("0.5", NOTHING),
        (True, NOTHING),
    ],
)
def test_percent_never_promises_a_certainty_that_is_not_there(share: object, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1536, "1,536"),
        (14.2345, "14.23"),
        (-0.3, f"{MINUS}0.3"),
        (1e-9, f"1e{MINUS}09"),
        (10**400, NOTHING),
    ],
)
def test_plain_numbers(value: object, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0.40 s"),
        (12.34, "12.3 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (-1, NOTHING),
        (None, NOTHING),
    ],
)
def test_durations(seconds: object, text: str) -> None:
    assert duration(seconds) == text


def test_a_backward_counts_as_two_forwards() -> None:
    assert passes({"forwards": 512, "backwards": 512}) == 1536
    assert passes({"forwards": 512, "backwards": None}) == 512
    assert passes({}) is None


def test_any_value_becomes_one_short_line() -> None:
    assert anything(["a", 1, None]) == f"a, 1, {NOTHING}"
    assert anything("two\nlines") == "two lines"
    assert anything("\x1b[31m\u202e\udce9") == r"\x1b[31m\u202e\udce9"
    assert len(anything({"long": "x" * 999})) == 240
