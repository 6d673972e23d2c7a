"""The words of a command line as Hydra reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import CONF
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from synth.cli.words import prepared, quoted
from synth.errors import InputError


def value_of(word: str) -> object:
    return OverridesParser.create().parse_override(quoted(word)).value()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("target=金魚", "金魚"),
        ("image=a=b, (1) & #2.png", None),  # a sweep
        ("image=a=b (1) & #2.png", "a=b (1) & #2.png"),
        ("image=it's.png", "it's.png"),
        ("images=[josé,lemon]", ["josé", "lemon"]),
        ("a={x: é, y: [ü,1]}", {"x": "é", "y": ["ü", 1]}),
        ("target='金魚'", "金魚"),
        ("image=${oc.env:HOME}/josé", "${oc.env:HOME}/josé"),
        ("folder=5", "5"),
        ("folder=true", "true"),
        ("seed=5", 5),
        ("folder=[a,b]", ["a", "b"]),
        ("folder=null", None),
    ],
)
def test_values(word: str, value: object) -> None:
    if value is not None:
        assert value_of(word) == value
    if word.isascii() and "image" not in word and "folder" not in word:
        assert quoted(word) == word


def test_a_sweep_stays_one() -> None:
    override = OverridesParser.create().parse_override(quoted("target=金魚,lemon"))
    assert override.is_sweep_override()
    assert quoted("target=金魚,lemon") == "target='金魚',lemon"
    assert quoted("target=choice(金魚,lemon)") == "target=choice('金魚',lemon)"


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/josé")
    assert value_of("image=~/x.png") == "/home/josé/x.png"
    assert value_of("images=[~/a b.png,c.png]") == ["/home/josé/a b.png", "c.png"]


def test_a_file_whose_name_has_brackets_and_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert quoted("image=a[1],b (2).png") == "image=a[1],b (2).png"
    Path("a[1],b (2).png").touch()
    assert value_of("image=a[1],b (2).png") == "a[1],b (2).png"


@given(st.text(st.characters(exclude_characters="[]{},()~'\"$\\", exclude_categories=["Cc", "Cs"])))
def test_any_name_arrives(name: str) -> None:
    name = name.strip()
    word = f"image=é{name}"
    assert value_of(word) == f"é{name}"


@given(st.text(max_size=12))
def test_quoting_twice_changes_nothing(text: str) -> None:
    word = f"image={text}"
    assert quoted(quoted(word)) == quoted(word)


def test_options_may_stand_anywhere() -> None:
    assert prepared(["seed=1", "-m", "target=é", "--config-dir", "/x"], CONF) == [
        *["-m", "--config-dir", "/x"],
        *["seed=1", "target='é'"],
    ]


@pytest.mark.parametrize("word", ["sweep=a,b", "folder=a,b", "memory=1,2", "++device=cpu,cuda:0"])
def test_a_sweep_over_what_changes_no_result(word: str) -> None:
    with pytest.raises(InputError, match="no result depends on it"):
        prepared(["-m", word], CONF)


def test_a_pattern_that_matches_goes_on() -> None:
    assert prepared(["-m", "search=glob(g*)"], CONF) == ["-m", "search=glob(g*)"]
