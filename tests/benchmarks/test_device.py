"""The figures of a device, measured on a CPU with the smallest numbers there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.device import __main__ as device
from benchmarks.device.figures import FIGURES, Row, Scale
from benchmarks.device.page import write_page

TINY = Scale((1, 2), 4, 2, 2, 1, ("mini_alexnet",))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_measured(name: str) -> None:
    rows = list(FIGURES[name]("cpu", TINY))
    assert rows
    assert len({row.what for row in rows}) == len(rows)
    for row in rows:
        assert row.figure == name
        assert row.value is None or 0 < row.value < 1e9
    if name == "graphs":  # a CPU has none, and says so
        assert [(row.value, row.unit) for row in rows] == [(None, "cpu has none")]


def test_the_page_holds_what_is_measured_before_the_time_is_over_or_something_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(name: str, scale: Scale) -> Iterator[Row]:
        yield Row("slow", "<b>first</b>", 1234.5, "images/s")
        yield Row("slow", "second", 1.0, "")

    def failing(name: str, scale: Scale) -> Iterator[Row]:
        yield Row("failing", "first", 2.0, "")
        raise RuntimeError("CUDA error: an illegal memory access\nmore")

    monkeypatch.setitem(FIGURES, "slow", slow)
    monkeypatch.setitem(FIGURES, "failing", failing)
    monkeypatch.setattr(device, "LIMIT", 0.0)
    device.main(["tests", "failing", "slow", "--device", "cpu", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "device.json").read_text(encoding="utf-8"))
    assert record["machine"]["torch"] == torch.__version__
    assert [(row["what"], row["unit"]) for row in record["rows"]] == [
        ("pytest -m cuda", "left out on cpu"),
        ("first", ""),
        ("the rest", "left out: the six minutes are over"),
        ("<b>first</b>", "images/s"),
        ("the rest", "left out: the six minutes are over"),
    ]
    page = (tmp_path / "device.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;first&lt;/b&gt;" in page
    assert "1,234" in page
    assert "<script" not in page
    monkeypatch.setattr(device, "LIMIT", 60.0)
    rows = device.measure("cpu", TINY, ["failing"], tmp_path)
    assert rows[-1].unit == "failed: CUDA error: an illegal memory access"
    write_page(tmp_path / "empty", {}, [])
    capsys.readouterr()


def test_without_a_gpu_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="there is no CUDA device here") as leaving:
        device.main(["--out", str(tmp_path)])
    assert "\n" not in str(leaving.value)
    with pytest.raises(SystemExit, match="no such figure: speed"):
        device.main(["speed"])
    assert not list(tmp_path.iterdir())
