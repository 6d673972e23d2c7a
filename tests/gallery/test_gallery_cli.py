"""The console script synth-gallery: pages, output line, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import MakeRun

from synth.cli.gallery import main


def output_of(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """What the command prints: exactly one line, on the stream that goes with `code`."""
    assert main([str(word) for word in words]) == code
    printed = capsys.readouterr()
    right, other = (printed.err, printed.out) if code else (printed.out, printed.err)
    assert other == ""
    assert right.count("\n") == 1
    return right


def test_one_page_over_all_runs_and_what_was_left_out(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_run("runs/a/one", items=[{}, {}, {}])
    make_run("runs/b/two")
    (first / "images/001.png").unlink()
    inside = make_run("runs/a/one/images/not_a_run")
    broken = make_run("runs/broken")
    (broken / "result.json").write_text('{"items": [')
    (make_run("runs/c/going_on") / "result.json").unlink()
    line = output_of(capsys, tmp_path / "runs")
    page = tmp_path / "runs/index.html"
    assert page.is_file()
    assert line.startswith(f"{page}: 2 runs, 4 pictures, 2 skipped (")
    assert f"{broken}: result.json is not JSON" in line
    assert f"{first}/images/001.png: picture missing" in line
    assert line.endswith(f", 1 unfinished ({tmp_path}/runs/c/going_on)\n")
    assert str(inside) not in line


def test_a_run_folder_gets_its_own_page(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run()
    assert output_of(capsys, folder) == f"{folder}/index.html: 1 run, 2 pictures, 0 skipped\n"
    assert "<title>Fooling</title>" in (folder / "index.html").read_text()


def test_output_and_title(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make_run("one"), make_run("two")
    page = tmp_path / "new/folder/page.html"
    assert "2 runs, 4 pictures" in output_of(
        capsys, first, second, first, "--output", page, "--title", "Mine <&>"
    )
    assert "<title>Mine &lt;&amp;&gt;</title>" in page.read_text()
    assert "name another for all: --out " in output_of(capsys, first, second, code=2)
    assert not (first / "index.html").exists()
    assert "ends in .html" in output_of(capsys, first, "--output", first / "result.json", code=2)


def test_nothing_to_show_leaves_with_two(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such folder" in output_of(capsys, tmp_path / "nowhere", code=2)
    assert "no finished run here" in output_of(capsys, tmp_path, code=2)
    folder = make_run()
    assert "a file where a folder is meant" in output_of(capsys, folder / "result.json", code=2)
    (folder / "result.json").write_text("[]")
    assert "result.json holds no object" in output_of(capsys, folder, code=2)
    (folder / "result.json").write_text("[" * 100_000)
    assert "is not JSON" in output_of(capsys, folder, code=2)
    (folder / "result.json").unlink()
    assert "1 unfinished" in output_of(capsys, folder, code=2)
    assert list(tmp_path.rglob("*.html")) == []


def test_options_that_do_not_exist_are_reported_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = output_of(capsys, "runs", "--new\x1b[31m\nline", code=2)
    assert r"unrecognized arguments: --new\x1b[31m\nline; see synth-gallery --help." in line
    assert "are required: PATH" in output_of(capsys, code=2)


def test_folders_that_cannot_be_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "~no such user/runs: no such folder" in output_of(capsys, "~no such user/runs", code=2)

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)  # a test that root runs may read everything
    assert output_of(capsys, tmp_path, code=2).endswith(f"{tmp_path}: permission denied.\n")


def test_names_with_line_ends_stay_on_one_line(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (make_run("runs/two\nlines\x1b[31m") / "result.json").write_text("")
    make_run("runs/good")
    assert "two\\nlines\\x1b[31m: result.json is not JSON" in output_of(capsys, tmp_path / "runs")


def test_it_starts_without_torch() -> None:
    code = "import sys, synth.cli.gallery; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
