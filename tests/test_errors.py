"""Lines for users: suggestions for mistyped names, and names that a terminal would obey."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import InputError, nearest, printable

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


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("two\nlines\r.png", r"two\nlines\r.png"),
        ("\x1b[31mred\x07.png", r"\x1b[31mred\x07.png"),
        ("\x9b31m.png", r"\x9b31m.png"),  # the same code in one character
        ("gnp.\u202etxt", r"gnp.\u202etxt"),
        ("a\u2028b\u2066c\u200b", r"a\u2028b\u2066c\u200b"),
        ("caf\udce9.png", r"caf\udce9.png"),  # a byte that is no UTF-8
        ("[link=http://x]a[/link].png", "[link=http://x]a[/link].png"),
        ("josé 金魚\u3000\u00a0.png", "josé 金魚\u3000\u00a0.png"),
    ],
)
def test_names_are_printed_on_one_line_without_codes(name: str, line: str) -> None:
    assert printable(name) == line
    assert str(InputError(f"image={name}: no such file.")) == f"image={line}: no such file."


@given(st.text())
def test_what_is_printable_is_one_line_and_stays_as_it_is(text: str) -> None:
    line = printable(text)
    assert len(line.splitlines()) <= 1
    assert not {"\x1b", "\n", "\r", "\u202e"} & set(line)
    line.encode()
    assert printable(line) == line
