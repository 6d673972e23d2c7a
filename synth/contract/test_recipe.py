"""The contract of a recipe: it runs from the command line to its end and leaves a whole folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synth.api.running import run
from synth.config.composing import CONF
from synth.config.plugins import own_options
from synth.contract.cases import folder_words, for_each
from synth.contract.console import Synth, result_of, steps_of
from synth.contract.parts import SHORT, overrides_of, unresolved
from synth.networks import architectures


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key below `node`, dotted, with its value."""
    if isinstance(node, dict):
        for key, value in node.items():
            inner = f"{path}.{key}".lstrip(".")
            yield inner, value
            yield from _leaves(value, inner)


def _short(words: list[str], weights: Path) -> list[str]:
    """`words` with what makes a recipe last a second: few steps, two targets, the tiny network."""
    tree = unresolved(next(word for word in words if word.startswith("recipe=")))
    written = {word.split("=")[0].lstrip("+") for word in words}
    more = []
    for path, value in _leaves(tree):
        limit = SHORT.get(path.rsplit(".", 1)[-1])
        if limit is None or path in written:
            continue
        if value is None or isinstance(value, int | float):
            more.append(f"{path}={min(limit, value or limit)}")
    if tree.get("target") is not None and "target" not in written:
        more.append("target=[goldfish,lemon]")
    if tree.get("network", {}).get("name") in architectures.names():
        more.append(f"network.weights={weights}")
    if "device" in tree:
        more.append("device=cpu")
    return [*words, *more]


@pytest.fixture
def class_folders(tmp_path: Path) -> None:
    """Twelve pictures in two class folders, in the folder `pictures`."""
    draws = np.random.default_rng(0)
    for place, name in enumerate(("lemon", "teapot")):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(6):
            noise = draws.integers(100 * place, 100 * place + 100, (36, 36, 3))
            Image.fromarray(noise.astype(np.uint8)).save(folder / f"{number}.png")


@for_each(name="recipe")
@pytest.mark.usefixtures("class_folders")
def test_a_recipe_runs_and_leaves_a_whole_folder(name: str, synth: Synth, weights: Path) -> None:
    before = overrides_of("recipe", name, "test-before")
    if before:
        assert synth(*_short(before, weights), *folder_words()).code == 0
    words = _short([f"recipe={name}", *overrides_of("recipe", name), "folder=out"], weights)
    ran = synth(*words, *folder_words())
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    folder = Path("out")
    result = result_of(folder)
    assert (result["recipe"], result["status"]) == (name, "done")
    assert result["about"]["sentence"]
    if name in own_options(CONF, "recipe"):
        assert result["headline"]  # the last line of the run, and at the head of its page
        assert result["headline"] in ran.err.splitlines()[-1]
    assert result.keys() >= {"recipe", "status", "versions", "items", "findings"}
    if result["items"]:
        assert result.keys() >= {"seconds", "device", "network", "search", "encoding"}
    assert {path.name for path in (folder / ".hydra").iterdir()} == {
        "config.yaml",
        "hydra.yaml",
        "overrides.yaml",
    }
    assert not list(folder.rglob("*.partial"))
    assert not list(folder.glob("checkpoint.*"))
    pictures = {path.relative_to(folder).as_posix() for path in folder.glob("images/*.png")}
    # a cell of a map may stay empty
    filled = [item for item in result["items"] if item["file"] is not None]
    assert filled or not result["items"]
    assert pictures == {item["file"] for item in filled}
    for item in filled:
        with Image.open(folder / item["file"]) as image:
            assert "target" in json.loads(image.text["synth"])
        assert 0 <= item["confidence"] <= 1 if item.get("confidence") is not None else True
    if (folder / "steps.jsonl").exists():
        assert all("step" in line for line in steps_of(folder))
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert name in page
    assert page.rstrip().endswith("</html>")
    again = synth(*words, *folder_words())
    assert again.code == 0
    assert "out is finished already" in again.err
    if not folder_words():  # which are words of the command line alone
        _check_call(name, words)


def _check_call(name: str, words: list[str]) -> None:
    """The same recipe, called from Python in memory, gives the same pictures, bit for bit."""
    overrides = [word for word in words if word.partition("=")[0] not in ("recipe", "folder")]
    called = run(name, overrides=overrides, progress=False).save("called")
    files = [
        {path.relative_to(folder) for path in folder.rglob("*") if path.suffix != ".partial"}
        for folder in (Path("out"), called)
    ]
    assert files[0] == files[1]
    for path in files[0]:
        if path.suffix in (".png", ".webp"):
            with Image.open("out" / path) as first, Image.open(called / path) as second:
                assert np.array_equal(np.asarray(first), np.asarray(second)), path
