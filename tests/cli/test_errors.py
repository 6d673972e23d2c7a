"""What was meant by what was typed, and what a user is told of the errors of Hydra, OmegaConf and beartype."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest
from console import CONF
from hypothesis import given
from hypothesis import strategies as st

from synth.cli import complaints
from synth.errors import InputError, nearest

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
    said = nearest(typed, NAMES)
    assert said.startswith(" Did you mean ")
    assert said.removeprefix(" Did you mean ").split(" or ")[0].split(", ")[0].rstrip("?") == meant


def test_nearest_says_nothing_where_nothing_is_near() -> None:
    assert nearest("xylophone", NAMES) == ""
    assert nearest("goldfish", []) == ""


@given(
    st.text(max_size=20), st.lists(st.text(min_size=1, max_size=12), max_size=12), st.integers(1, 4)
)
def test_nearest_is_one_sentence_of_names_that_exist(
    typed: str, choices: Sequence[str], most: int
) -> None:
    said = nearest(typed, choices, most)
    if said:
        assert said.startswith(" Did you mean ")
        assert said.endswith("?")
        assert any(choice in said for choice in choices)
    if typed and typed in choices and typed.strip():
        assert said  # what is there is always found


@given(st.sampled_from(NAMES), st.integers(0, 30), st.sampled_from("abcxyz"))
def test_nearest_forgives_one_letter(name: str, place: int, letter: str) -> None:
    place %= len(name)
    for typed in (name[:place] + letter + name[place:], name[:place] + name[place + 1 :]):
        assert name in nearest(typed, NAMES)


@given(st.lists(st.sampled_from(NAMES), min_size=2), st.sampled_from(NAMES))
def test_nearest_does_not_repeat_itself(choices: Sequence[str], typed: str) -> None:
    said = nearest(typed, choices)
    assert all(said.count(name) <= 1 for name in set(choices))


def told(error: BaseException, *typed: str) -> str | None:
    return complaints.line(error, CONF, list(typed))


def test_an_error_of_ours_is_told_as_it_is_however_deep_it_lies() -> None:
    error = RuntimeError("Error in call to target 'synth.searches.gradient.Gradient'")
    error.__cause__ = ValueError("Error in collecting args")
    error.__cause__.__cause__ = InputError("search.steps=-1: write 1 or more.")
    assert told(error) == "search.steps=-1: write 1 or more."


def test_a_fault_of_ours_is_not_told_as_the_users() -> None:
    for error in (
        ZeroDivisionError("division by zero"),
        AssertionError(),
        KeyError("score"),
        RuntimeError("size 3 != 4"),
    ):
        assert told(error) is None


def test_files_and_disks() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", "names.tsv")
    assert told(missing) == "names.tsv: No such file or directory."
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "Make room" in str(told(full))
    folder = NotADirectoryError(errno.ENOTDIR, "Not a directory", "/dev/null")
    assert (
        told(folder, "folder=/dev/null/x")
        == "folder=/dev/null/x: Not a directory. Name another folder."
    )


def test_types_are_told_in_words() -> None:
    from beartype.roar import BeartypeCallHintViolation

    from synth.encodings.pixels import Pixels
    from synth.searches.gradient import Gradient

    for call, words in [
        (lambda: Gradient(steps="many"), "steps='many': Gradient takes a whole number here."),  # type: ignore[arg-type]
        (lambda: Gradient(rate="fast"), "rate='fast': Gradient takes a number here."),  # type: ignore[arg-type]
        (lambda: Gradient(rate_end="x"), "rate_end='x': Gradient takes a number or null here."),  # type: ignore[arg-type]
        (
            lambda: Pixels(size=6.5),  # type: ignore[arg-type]
            "size=6.5: Pixels takes a whole number or a list of whole numbers or null here.",
        ),
    ]:
        with pytest.raises(BeartypeCallHintViolation) as caught:
            call()
        assert told(caught.value) == words
    assert Gradient(rate=1).rate == 1  # a whole number is a number


def test_every_group_of_the_configuration_can_be_named(tmp_path: Path) -> None:
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    with initialize_config_dir(str(CONF), version_base="1.3"):
        for group in sorted(
            path.name
            for path in CONF.iterdir()
            if path.is_dir() and path.name not in ("training", "measure")
        ):
            with pytest.raises(HydraException) as caught:
                compose(
                    "experiment",
                    overrides=[
                        f"+{group}=nothing_like_it" if group == "recipe" else f"{group}=zzz"
                    ],
                )
            said = str(told(caught.value))
            assert said.startswith(f"{group}=")
            assert f"no such {group}. There are " in said
