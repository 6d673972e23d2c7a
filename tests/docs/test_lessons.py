"""The lessons: every cell runs, every question has its answer, and what is stored shows it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import pytest
from console import CONF, ROOT

FOLDER = ROOT / "docs/lessons"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# **Answer: 0.87 ± 0.01**; without a tolerance the number itself, to the decimals it is given with
ANSWER = re.compile(r"\*\*Answer: (\d+(?:\.(\d+))?)(?: ± (\d+(?:\.\d+)?))?")
LARGEST_OUTPUT, LARGEST_NOTEBOOK = 85_000, 400_000  # characters of base64 or text; bytes


@pytest.fixture
def no_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(ROOT)
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    plt.close("all")
    matplotlib.use(before)


def _cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def _run(source: str, names: dict[str, Any]) -> bool:
    """Runs a cell; whether it leaves a value or a figure to be shown."""
    tree = ast.parse(source)
    last = tree.body[-1]
    value = None
    if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
        exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    else:
        exec(compile(tree, "cell", "exec"), names)
    figures = plt.get_fignums()
    plt.close("all")
    return value is not None or bool(figures)


# torch's Tensor.__array__ takes no copy=, which numpy reports wherever matplotlib is given a tensor
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_answers_its_question(
    path: Path, no_window: None, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in _cells(path):
        if cell["cell_type"] != "code":
            continue
        shows = _run("".join(cell["source"]), names)
        shows |= bool(capsys.readouterr().out)
        assert bool(cell["outputs"]) == shows, "run python docs/lessons/execute.py"
    text = "".join("".join(cell["source"]) for cell in _cells(path))
    assert "## Question" in text
    match = ANSWER.search(text)
    assert match is not None
    number, decimals, tolerance = match.groups()
    slack = float(tolerance) if tolerance else 0.5 * 10.0 ** -len(decimals or "")
    assert abs(names["answer"] - float(number)) <= slack + 1e-9


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_is_stored_small_and_without_what_changes(path: Path) -> None:
    assert path.stat().st_size < LARGEST_NOTEBOOK
    pictures = 0
    for cell in _cells(path):
        assert "execution" not in cell["metadata"]
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
            assert len(json.dumps(output)) < LARGEST_OUTPUT
            assert not {"image/png", "text/html"} & set(output.get("data", {}))
            pictures += "image/jpeg" in output.get("data", {})
    assert pictures >= 3


def test_the_map_names_every_lesson_and_every_recipe() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 8
    assert re.findall(r"\]\((\d\w+\.ipynb)\)", text)[:8] == [path.name for path in NOTEBOOKS]
    recipes = {path.stem for path in CONF.glob("recipe/*.yaml")}
    assert set(re.findall(r"`synth recipe=(\w+)", text)) == recipes
