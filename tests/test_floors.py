"""The layers of the package: imports run downward, and every folder and file is what it says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import CONF, ROOT

PACKAGE = ROOT / "synth"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

# a folder imports from the floors before its own, and from itself
FLOORS: list[set[str]] = [
    {"errors"},
    {"files"},
    {"core"},
    {"data"},
    {"record"},
    {"networks"},
    {"encodings", "objectives", "searches", "transforms"},
    {"engine"},
    {"metrics", "figures", "training"},
    {"probes", "jobs"},
    {"gallery"},
    {"datasets"},
    {"config"},
    {"cli"},
    {"api"},
    {"contract"},
]
HYDRA = {"config", "cli", "contract"}  # the folders that may import it
BANNED_NAMES = {"found", "told", "said", "seen", "one", "now", "who", "away"}
BANNED_NAMES |= {"kept", "there", "known"}
BANNED_MODULES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
# a kind of conf/ and the folder of its Python files
KINDS = {
    "encoding": "encodings",
    "figure": "figures",
    "metric": "metrics",
    "network": "networks",
    "objective": "objectives",
    "search": "searches",
    "search/mate": "searches/operators",
    "search/mutate": "searches/operators",
    "search/regularisers": "searches",
    "search/select": "searches/operators",
    "search/survive": "searches/operators",
    "training": "training",
    "transform": "transforms",
}


def folder_of(path: Path) -> str:
    """The folder of the package that a file is in; its own name where it is in none."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(folder: str) -> int:
    floors = [floor for floor, folders in enumerate(FLOORS) if folder in folders]
    assert floors, f"synth/{folder} is on no floor yet: give it one in FLOORS"
    return floors[0]


def imported(path: Path) -> Iterator[str]:
    """All modules that a file imports, inside functions too: ``synth.errors``, ``torch``."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the import with its whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_floors_name_the_folders_that_exist() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert set().union(*FLOORS) == folders | {"errors", "files"}


def test_imports_run_downward() -> None:
    for path in FILES:
        loose = path.parent == PACKAGE and path.name != "errors.py"  # the face of the whole package
        for module in imported(path):
            root, _, inner = module.partition(".")
            other = inner.split(".")[0]
            if root != "synth" or not inner or other == folder_of(path) or loose:
                continue
            if (PACKAGE / other).is_dir() or (PACKAGE / f"{other}.py").is_file():
                below = floor_of(other) < floor_of(folder_of(path))
                assert below, f"{path} imports {module}, which is not below it"


def test_few_modules_stand_outside_of_a_folder() -> None:
    loose = [path.name for path in PACKAGE.glob("*.py")]
    assert len(loose) <= 4, loose


def test_only_the_command_line_and_the_configuration_import_hydra() -> None:
    for path in FILES:
        roots = {module.split(".")[0] for module in imported(path)}
        assert folder_of(path) in HYDRA or not roots & {"hydra", "omegaconf"}


def test_a_module_says_what_it_is() -> None:
    for path in FILES:
        assert ast.get_docstring(TREES[path]), f"{path} has no docstring"
        assert not BANNED_MODULES & set(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_lists_its_members(kind: str) -> None:
    folder = PACKAGE / KINDS[kind]
    index = ast.get_docstring(TREES[folder / "__init__.py"]) or ""
    for file in sorted((CONF / kind).glob("*.yaml")):
        listed = re.search(rf"\b{re.escape(file.stem)}\b", index)
        own = (folder / file.name).with_suffix(".py").is_file()
        assert own or listed, f"{folder}/__init__.py does not list {kind}={file.stem}"


def test_every_kind_of_the_configuration_has_a_folder() -> None:
    kinds = {str(file.parent.relative_to(CONF)) for file in CONF.rglob("*.yaml")}
    hydra = {"hydra/launcher", "hydra/sweeper"}
    assert kinds - hydra - {".", "recipe"} == KINDS.keys()


def test_names_are_nouns() -> None:
    for path in FILES:
        names: set[str | None] = set()
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.id if isinstance(node, ast.Name) else node.attr)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.alias):
                names.add(node.asname)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs):
                names.add(node.name)
        banned = BANNED_NAMES & names
        assert not banned, f"{path}: name the thing: {banned}"


def test_the_formatter_is_never_switched_off() -> None:
    for path in FILES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert len(line) <= 100, f"{path}:{number} has {len(line)} columns"
            assert not re.search(r"#\s*fmt:\s*(skip|off)", line), f"{path}:{number}"


@pytest.mark.parametrize("module", ["gallery.page", "cli.gallery", "cli.command"])
def test_pages_and_the_first_look_at_a_command_do_not_import_torch(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'safetensors'}"
    code = f"import sys, synth.{module}; print(sorted({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert process.stdout.strip() == "[]"
