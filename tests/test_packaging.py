"""The wheel: it holds all that a run needs, so that no checkout is needed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import ROOT

import synth


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel as hatchling builds it, in this environment and without a network."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    code = (
        "import sys; from hatchling.builders.wheel import WheelBuilder; "
        "print(next(WheelBuilder(sys.argv[1]).build(directory=sys.argv[2], versions=['standard'])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


def test_the_wheel_holds_every_file_of_the_package_and_the_configuration(
    wheel: zipfile.ZipFile,
) -> None:
    inside = set(wheel.namelist())
    for kind, folder, into in (
        ("*.py", ROOT / "synth", "synth"),
        ("*.yaml", ROOT / "conf", "synth/conf"),
    ):
        needed = {f"{into}/{path.relative_to(folder).as_posix()}" for path in folder.rglob(kind)}
        assert needed
        assert needed <= inside
    templates = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "synth/gallery/templates").rglob("*.*")
    }
    assert templates
    assert templates <= inside
    assert "synth/networks/imagenet.tsv" in inside
    weights = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "synth/networks/weights").glob("*.*")
    }
    assert weights <= inside
    assert not [name for name in inside if name.startswith(("tests", "runs", "benchmarks"))]
    assert not [name for name in inside if "__pycache__" in name]


def test_the_version_stands_in_one_place(wheel: zipfile.ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert metadata == f"synth-{synth.__version__}.dist-info/METADATA"
    assert f"\nVersion: {synth.__version__}\n" in wheel.read(metadata).decode()
    scripts = wheel.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    assert "synth = synth.cli.command:main" in scripts
    assert "synth-gallery = synth.cli.gallery:main" in scripts


def test_an_installed_package_finds_its_configuration(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    code = "from synth.cli.command import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "recipe=foolin_gradient"],
        cwd=tmp_path / "elsewhere",
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Did you mean fooling_gradient" in done.stderr
