"""Run folders of earlier releases, `tests/archive`: each gives its page, and all join an overview.

`expected.json` has facts of each page as the release that made the run wrote it: the number of
cards, charts, lineages and pictures, and the files that the page shows.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from synth.cli.gallery import main
from synth.gallery import build_run_page
from synth.gallery.finding import find_runs
from synth.gallery.folder import Run

ARCHIVE = Path(__file__).parents[1] / "archive"
EXPECTED: dict[str, Any] = json.loads((ARCHIVE / "expected.json").read_text())["gallery"]
FINISHED = sorted(name for name, facts in EXPECTED.items() if facts is not None)
OLD_WORDS = ("not what is there", "multifaceted on", "watch=", "watch.", "measures.", "watched")


def copied(tmp_path: Path, *names: str) -> list[Path]:
    """Copies of the folders, so that no page is written into the archive."""
    return [Path(shutil.copytree(ARCHIVE / name, tmp_path / "runs" / name)) for name in names]


def page_data(page: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return json.loads(match[1])


def links_of(page: str) -> set[str]:
    """The files that the page links to or shows, also in the enlarged view."""
    links = {html.unescape(link) for link in re.findall(r'(?:src|href)="([^"]+)"', page)}
    for card in page_data(page)["cards"]:
        links |= {
            card["src"],
            card["original"],
            *card["difference"][:1],
            *card.get("large", [])[:1],
        }
        links.add(card.get("lineage", {}).get("src", ""))
    return links - {"", "data:,"}


def text_of(page: str) -> str:
    """What a reader of the page sees, without scripts, style sheets and tags."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_archive_has_finished_and_unfinished_runs() -> None:
    folders = find_runs([ARCHIVE])
    assert sorted(folder.name for folder in folders.finished) == FINISHED
    unfinished = sorted(name for name, facts in EXPECTED.items() if facts is None)
    assert sorted(folder.name for folder in folders.unfinished) == unfinished
    assert len(FINISHED) > 10


@pytest.mark.parametrize("name", FINISHED)
def test_a_run_of_an_earlier_release_gives_its_page(name: str, tmp_path: Path) -> None:
    (folder,) = copied(tmp_path, name)
    facts = EXPECTED[name]
    run = Run(folder)
    assert run.missing == ()
    assert sum(item.picture is not None for item in run.items) == facts["pictures"]
    page = build_run_page(folder).read_text(encoding="utf-8")
    data = page_data(page)
    assert page.count('<article class="card') == len(data["cards"]) == facts["cards"]
    assert page.count('<figure class="chart') == facts["charts"]
    assert sum("lineage" in card for card in data["cards"]) == facts["lineages"]
    names = set(re.findall(r'"([^"<>]+\.(?:png|webp))"', unquote(html.unescape(page))))
    assert set(facts["files"]) <= names
    for link in links_of(page):
        assert (folder / unquote(link)).is_file(), link


@pytest.mark.parametrize("name", FINISHED)
def test_its_page_says_what_was_run_in_the_present_words(name: str, tmp_path: Path) -> None:
    (folder,) = copied(tmp_path, name)
    result = json.loads((folder / "result.json").read_text())
    text = text_of(build_run_page(folder).read_text(encoding="utf-8"))
    assert result["recipe"].replace("_", " ") in text.lower()
    assert f"synth recipe={result['recipe']}" in text
    if result.get("network"):
        assert result["network"]["name"] in text
    for item in result["items"]:
        target = item.get("target")
        assert target is None or " ".join(target.split()) in text or target in OLD_WORDS
    for word in OLD_WORDS:
        assert word not in text


def test_all_of_them_join_an_overview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied(tmp_path, *EXPECTED)
    assert main([str(tmp_path / "runs")]) == 0
    pictures = sum(EXPECTED[name]["pictures"] for name in FINISHED)
    line = capsys.readouterr().out
    assert f": {len(FINISHED)} runs, {pictures} pictures, 0 skipped" in line
    assert f", {len(EXPECTED) - len(FINISHED)} unfinished (" in line
    page = (tmp_path / "runs/index.html").read_text(encoding="utf-8")
    data = page_data(page)
    assert len(data["runs"]) == len(FINISHED)
    assert data["count"] == sum(EXPECTED[name]["cards"] for name in FINISHED)
    rows = (tmp_path / "runs/runs.csv").read_text(encoding="utf-8").count("\n")
    assert rows == data["count"] + 1
    assert "Success: criterion not recorded" in page
    text = text_of(page)
    assert f"{len(FINISHED)} runs" in text
    assert all(name in text for name in FINISHED)
    for word in OLD_WORDS:
        assert word not in text
