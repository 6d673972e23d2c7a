"""What every recipe owes: it runs from the command line to its end, and leaves a folder like every other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Synth, result_of, steps_of
from parts import NEEDS, SHORT, names, unresolved
from PIL import Image

pytest_plugins = "console_fixtures"


def _walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            here = f"{path}.{key}".lstrip(".")
            yield here, value
            yield from _walk(value, here)


def _short(name: str, weights: Path) -> list[str]:
    """What makes a recipe last a second: few steps, two targets, the tiny network."""
    tree = unresolved(f"recipe={name}")
    given = {word.split("=")[0].lstrip("+") for word in NEEDS.get(f"recipe/{name}", [])}
    words = [f"recipe={name}", *NEEDS.get(f"recipe/{name}", [])]
    for path, value in _walk(tree):
        last = path.rsplit(".", 1)[-1]
        if (
            last in SHORT
            and path not in given
            and (value is None or isinstance(value, int | float))
        ):
            words.append(f"{path}={min(SHORT[last], value or SHORT[last])}")
    if tree.get("target") is not None and "target" not in given:
        words.append("target=[goldfish,lemon]")
    if tree.get("network", {}).get("name") == "mini_alexnet":
        words.append(f"network.weights={weights}")
    return words


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


@pytest.fixture
def painted(synth: Synth, weights: Path) -> None:
    """A finished run of evolved painters, in the folder `earlier`."""
    assert synth(*_short("fooling_cppn", weights), "folder=earlier", "device=cpu").code == 0


@pytest.mark.usefixtures("class_folders")
@pytest.mark.parametrize("name", names("recipe"))
def test_a_recipe_runs_and_leaves_a_whole_folder(
    name: str, synth: Synth, weights: Path, request: pytest.FixtureRequest
) -> None:
    if name == "render":
        request.getfixturevalue("painted")
    words = [*_short(name, weights), "folder=out"]
    if "device" in unresolved(f"recipe={name}"):
        words.append("device=cpu")
    ran = synth(*words)
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    folder = Path("out")
    result = result_of(folder)
    assert (result["recipe"], result["status"]) == (name, "done")
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
    found = [
        item for item in result["items"] if item["file"] is not None
    ]  # a cell of a map may stay empty
    assert found or not result["items"]
    assert pictures == {item["file"] for item in found}
    for item in found:
        with Image.open(folder / item["file"]) as image:
            assert "target" in json.loads(image.text["synth"])
        assert 0 <= item["confidence"] <= 1 if item.get("confidence") is not None else True
    if (folder / "steps.jsonl").exists():
        assert all("step" in line for line in steps_of(folder))
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert name in page
    assert page.rstrip().endswith("</html>")
    again = synth(*words)
    assert again.code == 0
    assert "out is finished already" in again.err
