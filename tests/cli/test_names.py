"""Names of files and classes through the command: nothing is lost, nothing is obeyed."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from console import Synth, result_of
from PIL import Image
from small_worlds import noisy_pictures

from synth.cli.streams import guarded_streams

pytest_plugins = "console_fixtures"

NAMES = [
    os.fsdecode(name)
    for name in (
        b"caf\xe9.png",
        b"\x1b]0;mine\x07.png",
        b"two\nlines.png",
        b"gnp.\xe2\x80\xaetxt.png",
        b"[link=http:x]a[red].png",
        b"<script>alert(1)<.png",
    )
]


def is_plain(text: str) -> bool:
    """Whether a terminal or a browser has nothing to obey in `text` but line ends."""
    return all(character.isprintable() or character == "\n" for character in text)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures called `NAMES`, and a pipe that never ends."""
    folder = noisy_pictures(tmp_path / "pictures", len(NAMES))
    for path, name in zip(sorted(folder.iterdir()), NAMES, strict=True):
        path.rename(folder / name)
    os.mkfifo(folder / "\x1bpipe.png")
    return folder


def test_a_run_of_pictures_of_any_name(synth: Synth, weights: Path, pictures: Path) -> None:
    words = ["images=pictures", "encoding.epsilon=0.1", "search.steps=1", "folder=out"]
    ran = synth("recipe=fooling_gradient", f"network.weights={weights}", *words)
    assert ran.code == 0, ran.err
    assert is_plain(ran.err)
    assert r"skipped: images=pictures/\x1bpipe.png: a named pipe, not a file." in ran.err
    assert r"1 of 7 files skipped: \x1bpipe.png" in ran.err
    items = result_of(Path("out"))["items"]
    assert sorted(item["image"] for item in items) == sorted(NAMES)
    with Image.open(Path("out") / items[0]["file"]) as image:
        assert json.loads(image.text["synth"])["target"] == items[0]["target"]
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert not {"\x1b", "\x07", "\u202e"} & set(page)
    (inline,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert "\u202e" not in json.dumps(json.loads(inline), ensure_ascii=False)
    assert "<script>alert" not in page
    assert r"caf\udce9.png" in page.replace("\\\\", "\\")


def test_an_error_about_any_name_is_one_plain_line(synth: Synth) -> None:
    line = synth("recipe=stylize", f'image="{"".join(NAMES)}"', "folder=out").complaint
    assert is_plain(line)
    assert line.startswith(r"image=caf\udce9.png\x1b]0;mine\x07.pngtwo\nlines.pnggnp.\u202etxt")
    assert "Bundled pictures: china, flower" in line


@pytest.mark.parametrize(
    ("recipe", "word"),
    [
        ("fooling_gradient", "image"),
        ("fooling_gradient", "network.weights"),
        ("train_classifier", "images"),
        ("stylize image=china", "weights"),
    ],
)
def test_paths_that_are_empty_or_no_file(
    recipe: str, word: str, synth: Synth, tmp_path: Path
) -> None:
    words = [*f"recipe={recipe}".split(), "folder=out"]
    # what the shell makes of an unset variable
    assert synth(*words, f"{word}=").complaint == f"{word}=: empty; write a path."
    if "weights" in word:
        os.mkfifo(tmp_path / "pipe.safetensors")
        for name, kind in (("pipe.safetensors", "a named pipe"), (".", "a folder")):
            line = synth(*words, f"{word}={name}").complaint
            assert line == f"{word}={name}: {kind}, not a file."
    assert not (tmp_path / "out").exists()


def test_a_terminal_that_lacks_a_letter_is_given_its_escape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "__stdout__", stream)
        with guarded_streams("synth"):
            print("josé 金魚")
    assert (tmp_path / "out").read_text() == "jos\\xe9 \\u91d1\\u9b5a\n"
