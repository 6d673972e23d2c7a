"""The page over many runs, its tables, and the command that watches a sweep."""

from __future__ import annotations

import csv
import errno
import json
import os
from array import array
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from run_folders import MakeRun, write_run

from synth.cli import gallery
from synth.cli.gallery import main
from synth.errors import InputError
from synth.gallery import compare, item_tables, overview
from synth.gallery.compare import names_of
from synth.gallery.criterion import short
from synth.gallery.entries import read_entry
from synth.gallery.overview import Overview
from synth.gallery.spreads import Spread, _cells, rate
from synth.gallery.thumbnails import LARGEST, SIDE

ON_TOP = "the target class is predicted for the saved file"
SURE = f"{ON_TOP} with a probability of at least 0.99"
FORMULA = '=HYPERLINK("http://x","<b>\'&\'</b>")\n\N{LEMON}'


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "runs.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page_of(path: Path) -> tuple[str, dict[str, Any]]:
    html = path.read_text(encoding="utf-8")
    return html, json.loads(html.split('id="data">')[1].split("</script>")[0])


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        (ON_TOP, "class on top"),
        (SURE, "class on top at 0.99"),
        ("another class than the true one is predicted for the saved file", "another class on top"),
        (f"{ON_TOP} with a monitored score of at least 3", "class on top at a score of 3"),
        ("a string is all ones", "a string is all ones"),
        ("", ""),
    ],
)
def test_criteria_are_said_in_few_words(sentence: str, words: str) -> None:
    assert short(sentence) == words


def test_rates_stand_by_criterion_with_their_intervals(make_run: MakeRun, tmp_path: Path) -> None:
    items = [{"success": True}, {"success": True}, {"success": False}]
    loose = make_run("runs/loose", items, about={"success": ON_TOP}, overrides=["seed=1"])
    strict = make_run(
        "runs/strict",
        [{"success": True, "transfer_success": False}],
        about={"success": SURE},
        transfer={"name": "other_net"},
    )
    old = make_run("runs/old", [{"success": None}])
    main([str(tmp_path / "runs")])
    html, data = page_of(tmp_path / "runs/index.html")
    body = html.split("<table")[1].split("</table>")[0]
    blocks = [block.split("</tbody>")[0] for block in body.split("<tbody>")[1:]]
    assert ["class on top</th>" in block for block in blocks] == [True, False, False]
    assert "class on top at 0.99" in blocks[1]
    assert "No success is counted" in blocks[2]  # an old run without a verdict comes last
    for text in ("66.7 % (2 of 3)", "<small>21\N{EN DASH}94 %</small>"):
        assert text in blocks[0]
    assert "0.0 % (0 of 1) to other_net" in blocks[1]
    assert "3 of 4" not in html
    assert {run["name"] for run in data["runs"]} == {loose.name, strict.name, old.name}
    criteria = [data["strings"][place] for place in data["columns"]["criterion"]]
    assert criteria == ["class on top"] * 3 + [""] + ["class on top at 0.99"]


def test_settings_name_a_method_where_a_sweep_varies_them(
    make_run: MakeRun, tmp_path: Path
) -> None:
    for number, rate_word in enumerate(("search.rate=0.1", "search.rate=0.5", "search.rate=0.5")):
        words = ["target=all", f"seed={number}", "until=0.9", rate_word]
        make_run(f"runs/{number}", overrides=words)
    entries = [read_entry(tmp_path / f"runs/{n}", tmp_path / "p.html") for n in range(3)]
    names = sorted(compare.labels_of(entries).values())
    assert names == ["fooling · search.rate=0.1", "fooling · search.rate=0.5"]


def test_runs_of_one_name_are_told_apart(make_run: MakeRun, tmp_path: Path) -> None:
    folders = [make_run("a/x/run"), make_run("a/y/run"), make_run("b/other")]
    assert names_of(folders) == ["x/run", "y/run", "other"]
    assert names_of([*folders, folders[0]])[2] == "other"  # a run twice does not hang


def test_tables_hold_a_row_an_item_and_no_formula(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    odd = os.fsdecode(b"runs/b\xffd")
    make_run(odd, [{"target": FORMULA, "natural_distance": 1.25}], overrides=["target='a b'"])
    make_run("runs/good", about={"success": SURE})
    (tmp_path / "elsewhere").mkdir()
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "elsewhere/page.html")]) == 0
    rows = table(tmp_path / "elsewhere")
    assert len(rows) == 3
    first = next(row for row in rows if row["class"].startswith("'="))
    assert "\n" not in first["class"]
    assert "\N{LEMON}" in first["class"]
    assert first["natural_distance"] == "1.25"
    assert first["run"] == r"../runs/b\udcffd"
    assert first["command"] == """synth recipe=fooling 'target='"'"'a b'"'"''"""
    other = next(row for row in rows if row["run"] == "../runs/good")
    assert (tmp_path / "elsewhere" / other["picture"]).is_file()
    assert (other["success"], other["criterion"]) == ("true", "class on top at 0.99")
    read = parquet.read_table(tmp_path / "elsewhere/runs.parquet").to_pylist()
    assert [row["class"] for row in read].count(FORMULA.replace("\n", " ")) == 1
    assert {row["passes"] for row in read} == {float(row["passes"]) for row in rows}
    html, _ = page_of(tmp_path / "elsewhere/page.html")
    assert "<b>'&'" not in html
    assert item_tables.safe_text("-1+1") == "'-1+1"
    monkeypatch.setattr(item_tables, "is_available", lambda: False)
    monkeypatch.setattr(gallery, "is_available", lambda: False)
    make_run("more/a"), make_run("more/b")
    assert main([str(tmp_path / "more")]) == 0
    assert not (tmp_path / "more/runs.parquet").exists()


def test_other_programs_files_are_left_and_a_full_disk_leaves_the_old_page(
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_run("runs/a"), make_run("runs/b")
    mine = tmp_path / "runs/runs.csv"
    mine.write_text("my,own,table\n")
    assert main([str(tmp_path / "runs")]) == 2
    assert "another program's file" in capsys.readouterr().err
    mine.rename(tmp_path / "runs/index.html")
    assert main([str(tmp_path / "runs")]) == 2
    assert "another program's page; name another" in capsys.readouterr().err
    (tmp_path / "runs/index.html").unlink()
    assert main([str(tmp_path / "runs")]) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.*")}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    capsys.readouterr()
    for module, name in ((compare, "write_atomically"), (item_tables.os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full)
            assert main([str(tmp_path / "runs")]) == 2
        assert "No space left on device" in capsys.readouterr().err
        after = {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.*")}
        assert after.keys() == before.keys()  # nothing half is left beside them


def test_a_watched_sweep_reads_each_run_once_and_ends_well(
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "runs").mkdir()
    read: list[str] = []
    monkeypatch.setattr(
        overview, "read_entry", lambda *words: (read.append(words[0].name), read_entry(*words))[1]
    )
    moments = iter(
        [
            lambda: make_run("runs/one"),
            lambda: None,
            lambda: (make_run("runs/two"), (tmp_path / "runs/cut").mkdir()),
            lambda: (tmp_path / "runs/cut/result.json").write_text('{"items": ['),
        ]
    )

    def wait(_: float) -> None:
        moment = next(moments, None)
        if moment is None:
            raise KeyboardInterrupt
        moment()

    monkeypatch.setattr(gallery.time, "sleep", wait)
    assert main([str(tmp_path / "runs"), "--watch"]) == 0
    printed = capsys.readouterr()
    page = tmp_path / "runs/index.html"
    assert printed.err == ""
    waits, first, second, third, last = printed.out.splitlines()
    assert waits.startswith(f"{page}: waits for the first finished run")
    assert first == f"{page}: 1 run, 2 pictures, 1 added (one)"
    assert second == f"{page}: 2 runs, 4 pictures, 1 added (two)"
    assert "cut: result.json is not JSON" in third
    assert last == f"{page}: 2 runs, 4 pictures, no longer watched"
    assert read == ["one", "two", "cut"]
    html, data = page_of(page)
    assert data["count"] == 4
    assert "result.json is not JSON" in html
    assert len(table(tmp_path / "runs")) == 4


def test_large_pictures_get_small_copies_once_and_pages_can_hold_all(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, f"runs/{name}") for name in "ab"]
    Image.new("RGB", (LARGEST + 1, LARGEST // 2), (200, 90, 20)).save(folders[0] / "images/000.png")
    page = tmp_path / "page/index.html"
    own = Overview([tmp_path / "runs"], page)
    own.update()
    own.write()
    copies = list((page.parent / "index_thumbnails").iterdir())
    with Image.open(copies[0]) as copy:
        assert copy.size == (SIDE, 128)
    state = copies[0].stat().st_mtime_ns
    Overview([tmp_path / "runs"], page).update()
    assert [path.stat().st_mtime_ns for path in copies] == [state]
    _, data = page_of(page)
    assert data["columns"]["small"] == [f"index_thumbnails/{copies[0].name}", "", "", ""]
    whole = Overview([tmp_path / "runs"], tmp_path / "whole.html", inline=True)
    whole.update()
    html = whole.write().read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 3
    assert html.count("data:image/webp;base64,") == 1


def test_a_runs_own_page_and_other_programs_tables_stay(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other = make_run("runs/one"), make_run("runs/two")
    assert main([str(run)]) == 0  # a run alone, in its own folder
    own = (run / "index.html").read_bytes()
    words = [
        [str(run), "--inline"],
        [str(other), "--out", str(run / "index.html")],
        [str(tmp_path / "runs"), "--out", str(run)],
    ]
    for each in words:
        assert main(each) == 2
        assert "keeps its own page; name another: --out FILE.html" in capsys.readouterr().err
    assert (run / "index.html").read_bytes() == own
    columns = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    foreign = tmp_path / "runs" / "runs.parquet"
    columns[0].write_table(columns[1].table({"mine": [1]}), foreign)
    before = foreign.read_bytes()
    assert main([str(tmp_path / "runs")]) == 2
    assert "runs.parquet: another program's file" in capsys.readouterr().err
    assert foreign.read_bytes() == before
    for name, message in (("", "--out: empty"), ("n" * 5000 + ".html", "5,005 bytes is too long")):
        assert main([str(tmp_path / "runs"), "--out", name]) == 2
        assert message in capsys.readouterr().err


def test_shares_are_no_zero_and_no_one_unless_they_are(make_run: MakeRun, tmp_path: Path) -> None:
    shares = (0.9999981, 0.0000021, 1.0, 0.123456)
    make_run("runs/one", [{"confidence": share} for share in shares])
    made = Overview([tmp_path / "runs"], tmp_path / "p.html")
    made.update()
    _, data = page_of(made.write(growing=True))
    assert data["columns"]["confidence"] == [0.9999981, 0.0000021, 1, 0.12346]


def test_a_sweep_of_many_settings_says_that_they_stand_together(
    make_run: MakeRun, tmp_path: Path
) -> None:
    for number in range(compare.MOST_SETTINGS + 1):
        make_run(f"runs/{number}", [{"success": True}], overrides=[f"search.rate={number}"])
    made = Overview([tmp_path / "runs"], tmp_path / "p.html")
    made.update()
    assert "25 settings together" in made.write().read_text(encoding="utf-8")


def test_a_median_of_few_has_no_interval() -> None:
    few, more = Spread(), Spread()
    for number in range(6):
        more.values.setdefault("passes", array("d")).append(number)
    few.values["passes"] = more.values["passes"][:5]
    assert _cells(few, ["passes"], any_transfer=False)[2] == ("2", "")
    assert _cells(more, ["passes"], any_transfer=False)[2][1]


def test_a_rate_of_nothing_is_a_dash(tmp_path: Path) -> None:
    assert rate(0, 0) == ("\N{EN DASH}", "")
    (tmp_path / "p.html").mkdir()
    with pytest.raises(InputError, match="cannot be overwritten"):
        Overview([tmp_path], tmp_path / "p.html")
