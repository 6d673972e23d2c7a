"""A folder of parts of a user's own, and an installed plug-in."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PARTS = Path(__file__).parent / "foreign_parts.py"
KINDS = {
    "encoding/screen": "Screen\nsize: null\ncells: 4",
    "objective/contrast": "Contrast\nweight: 1.0",
    "search/ascent": "Ascent\nsteps: 2\nrate: 0.1",
    "search/select/first": "First",
    "search/mate/swap": "Swap",
    "search/mutate/shake": "Shake\nstep: 0.1",
    "search/survive/newest": "Newest",
    "transform/dim": "Dim",
    "metric/mean": "Mean",
    "figure/grey": "Grey",
    "network/tiny": "tiny\nclasses: 5",
}
RECIPES = {
    "halftone": """
defaults:
  - /experiment
  - /objective@objective.terms.contrast: contrast
  - /metric@metrics.mean: mean
  - /figure@figures.grey: grey
  - override /network: tiny
  - override /encoding: screen
  - override /search: ascent
  - override /transform: dim
device: cpu
target: null
cells: 4
encoding: {cells: '${cells}'}
""",
    "count": "defaults: [/network: tiny]\n_target_: MODULE.Count",
    "nothing": "_target_: MODULE.Nothing\nmessage: '${word}'\nword: hello",
}


def write_parts(folder: Path, module: str) -> Path:
    """A folder of YAML files of all kinds, whose classes are in `module`."""
    for option, text in KINDS.items():
        path = folder / f"{option}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# A part of somebody else's.\n_target_: {module}.{text}\n")
    (folder / "recipe").mkdir()
    for name, text in RECIPES.items():
        header = "# @package _global_\n# A recipe of somebody else's.\n"
        (folder / f"recipe/{name}.yaml").write_text(header + text.replace("MODULE", module))
    return folder


def _forget(*modules: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in modules]:
        del sys.modules[name]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a module ``my_parts`` and a folder ``my_conf`` of its parts."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    shutil.copy(PARTS, tmp_path / "my_parts.py")
    write_parts(tmp_path / "my_conf", "my_parts")
    yield tmp_path
    _forget("my_parts")


@pytest.fixture
def plugin(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An installed plug-in: the package ``halftone`` with parts of all kinds, and its folder."""
    site = tmp_path_factory.mktemp("site")
    (site / "halftone").mkdir()
    (site / "halftone/__init__.py").touch()
    shutil.copy(PARTS, site / "halftone/parts.py")
    write_parts(site / "halftone/conf", "halftone.parts")
    about = site / "halftone-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: halftone\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[synth.plugins]\nscreens = halftone\n")
    monkeypatch.syspath_prepend(site)
    yield site
    _forget("halftone")
