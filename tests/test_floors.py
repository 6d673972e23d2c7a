"""The floors of the house: imports run downward only, and rooms of one floor never meet."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from console import ROOT

PACKAGE = ROOT / "synth"
FILES = sorted(PACKAGE.rglob("*.py"))

# each floor may import from those before it, and a room from itself
FLOORS: list[set[str]] = [
    {"__init__", "errors", "randomness", "interrupt", "lineage", "memory", "progress"},
    {"rows"},
    {"atomic", "core", "graph", "hardware"},
    {"data", "networks"},
    {"animation", "holdout"},
    {"fitness", "encodings", "objectives", "searches", "transforms"},
    {"course", "record", "measurement", "naturalness"},
    {"saving", "training"},
    {"items", "measures"},
    {"experiment", "onemax", "probes", "render", "stylize", "texture_nearest"},
    {"comparison", "film", "gallery"},
    {"complaints"},
    {"cli"},
]
# what is looked up sideways or upward, and why; shorten this list, do not add to it
EXCEPTIONS = {
    (
        "searches.regularisers",
        "transforms.blur",
    ): "the blur between two steps is the blur of a transform",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    found = [place for place, rooms in enumerate(FLOORS) if room in rooms]
    assert found, f"synth/{room} stands on no floor yet: give it one in FLOORS"
    return found[0]


def imported(path: Path) -> set[str]:
    """All modules that a file imports, inside functions too: `synth.errors`, `torch`."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the import out, from {package} on"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {
                name for name in names if (ROOT / (name.replace(".", "/") + ".py")).is_file()
            }
            found |= modules or {str(node.module)}
    return found


def test_the_floors_name_rooms_that_exist() -> None:
    rooms = {room_of(path) for path in FILES}
    assert set().union(*FLOORS) <= rooms


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    for module in imported(path):
        if not module.startswith("synth."):
            continue
        other = module.removeprefix("synth.")
        room = other.split(".")[0]
        if (own, other) in EXCEPTIONS or room == room_of(path) or path == PACKAGE / "__init__.py":
            continue
        assert floor_of(room) < floor_of(room_of(path)), (
            f"synth.{own} imports {module}, which is not below it"
        )


def test_every_exception_is_still_needed() -> None:
    for own, other in EXCEPTIONS:
        assert f"synth.{other}" in imported(PACKAGE / (own.replace(".", "/") + ".py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_knows_hydra(path: Path) -> None:
    roots = {module.split(".")[0] for module in imported(path)}
    if room_of(path) not in ("cli", "complaints"):
        assert not roots & {"hydra", "omegaconf"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_concept_a_file(path: Path) -> None:
    assert not {"utils", "util", "helpers", "helper", "common", "manager", "misc"} & set(
        path.relative_to(PACKAGE).with_suffix("").parts
    )
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= 320, f"{path.name} has {length} lines: look for the second concept"


def test_the_gallery_and_the_first_look_at_a_command_do_not_import_torch() -> None:
    code = "import sys, synth.{}; print(sorted({{'torch', 'torchvision', 'safetensors'}} & set(sys.modules)))"
    for module in ("gallery.page", "gallery.cli", "cli"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(module)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        assert done.stdout.strip() == "[]", module


def test_every_module_says_what_goes_in_and_what_comes_out() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
