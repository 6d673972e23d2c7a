"""`nearest`: the sentence that suggests what was meant by a mistyped name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import nearest

NAMES = (
    "goldfish",
    "great white shark",
    "king penguin",
    "lemon",
    "school bus",
    "steel-arch bridge",
    "conv5",
    "conv_4",
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("goldfsh", "goldfish"),
        ("GOLDFISH", "goldfish"),
        ("school_bus", "school bus"),
        ("school-bus", "school bus"),
        ("Steel arch bridge", "steel-arch bridge"),
        ("penguin", "king penguin"),
        ("conv 4", "conv_4"),
    ],
)
def test_nearest_finds_what_was_meant(typed: str, meant: str) -> None:
    sentence = nearest(typed, NAMES)
    assert sentence.startswith(" Did you mean ")
    assert (
        sentence.removeprefix(" Did you mean ").split(" or ")[0].split(", ")[0].rstrip("?") == meant
    )


def test_nearest_says_nothing_where_nothing_is_near() -> None:
    assert nearest("xylophone", NAMES) == ""
    assert nearest("goldfish", []) == ""


@given(
    st.text(max_size=20), st.lists(st.text(min_size=1, max_size=12), max_size=12), st.integers(1, 4)
)
def test_nearest_is_one_sentence_of_names_that_exist(
    typed: str, choices: Sequence[str], most: int
) -> None:
    sentence = nearest(typed, choices, most)
    if sentence:
        assert sentence.startswith(" Did you mean ")
        assert sentence.endswith("?")
        assert any(choice in sentence for choice in choices)
    if typed and typed in choices and typed.strip():
        assert sentence  # what is there is always found


@given(st.sampled_from(NAMES), st.integers(0, 30), st.sampled_from("abcxyz"))
def test_nearest_forgives_one_letter(name: str, place: int, letter: str) -> None:
    place %= len(name)
    for typed in (name[:place] + letter + name[place:], name[:place] + name[place + 1 :]):
        assert name in nearest(typed, NAMES)


@given(st.lists(st.sampled_from(NAMES), min_size=2), st.sampled_from(NAMES))
def test_nearest_does_not_repeat_itself(choices: Sequence[str], typed: str) -> None:
    sentence = nearest(typed, choices)
    assert all(sentence.count(name) <= 1 for name in set(choices))
