"""README's table of recipes and CHANGELOG's lists are those that docs/tables.py writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from console import CONF, ROOT


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs/tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_the_lists_are_up_to_date(name: str, tables: ModuleType) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- list: " in text
    assert tables.with_lists(text) == text, "run python docs/tables.py"


@pytest.mark.parametrize(
    "path", sorted(CONF.glob("*/**/*.yaml")), ids=lambda path: str(path.relative_to(CONF))
)
def test_every_part_says_what_it_is_in_one_line(path: Path, tables: ModuleType) -> None:
    assert 10 <= len(tables.description(path)) <= 100


def test_every_recipe_and_kind_is_listed() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for path in CONF.glob("*/**/*.yaml"):
        assert f"`{path.stem}`" in changelog
        if path.parent.name == "recipe":
            assert f"| `{path.stem}` |" in readme
