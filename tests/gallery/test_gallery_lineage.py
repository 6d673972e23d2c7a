"""Lineages: which part of the strip belongs to which ancestor, and where that is ambiguous."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from archive_folders import MakeArchive
from PIL import Image
from run_folders import MakeRun

from synth.gallery import build_run_page
from synth.gallery.folder import Run
from synth.gallery.lineage import Lineage, lineage_of

ANCESTORS = [
    {"id": 3, "step": 0, "score": 0.0121},
    {"id": 1700, "step": 12, "score": 0.9},
    {"id": 18, "step": 1300},
]


def lineage(folder: Path) -> Lineage:
    result = lineage_of(Run(folder).items[0], folder / "index.html")
    assert result is not None
    return result


def with_strip(make_run: MakeRun, size: tuple[int, int], **fields: Any) -> Path:
    folder = make_run(items=[{"strip": "strips/0 0.png", **fields}])
    (folder / "strips").mkdir()
    Image.new("RGB", size).save(folder / "strips/0 0.png")
    return folder


def test_frames_and_captions(make_run: MakeRun) -> None:
    assert lineage(
        with_strip(make_run, (24, 8), ancestors=ANCESTORS, generations=57)
    ).to_dict() == {
        "src": "strips/0%200.png",
        "ratio": 1.0,
        "frames": [
            ["step 0", "1.2 %", "individual 3"],
            ["step 12", "90.0 %", "individual 1,700"],
            ["step 1,300", "\N{EN DASH}", "individual 18"],
        ],
        "about": "57 generations, 3 of them shown",
        "problem": "",
    }


@pytest.mark.parametrize(
    ("size", "ancestors", "frames"),
    [
        ((24, 8), ANCESTORS, 3),
        ((26, 8), ANCESTORS, 3),  # lines between the frames
        ((240, 80), ANCESTORS, 3),
        ((32, 8), ANCESTORS, 4),  # the shape says four: no captions
        ((24, 8), None, 3),
        ((24, 8), [ANCESTORS[0]] * 2, 3),
        ((11, 8), ANCESTORS, 1),
        ((24, 8), [1, None, "x"], 3),
        ((24, 8), {"step": 1}, 3),
        ((8, 8), ANCESTORS * 1000, 1),
    ],
)
def test_as_many_frames_as_fit(
    make_run: MakeRun, size: tuple[int, int], ancestors: Any, frames: int
) -> None:
    result = lineage(with_strip(make_run, size, ancestors=ancestors))
    assert len(result.frames) == frames
    agree = isinstance(ancestors, list) and len(ancestors) == frames
    assert any(map(any, result.frames)) == agree


def test_a_missing_strip_leaves_the_captions(make_run: MakeRun) -> None:
    folder = make_run(
        items=[{"strip": "strips/000.png", "ancestors": ANCESTORS, "generations": "many"}]
    )
    result = lineage(folder)
    assert (result.src, result.problem, result.about) == ("", "picture missing", "")
    assert [frame[0] for frame in result.frames] == ["step 0", "step 12", "step 1,300"]
    assert [picture.problem for picture in Run(folder).missing] == ["picture missing"]


def test_nothing_from_outside_the_folder(make_run: MakeRun, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    folder = make_run(
        "run",
        [{"strip": "../secret.png", "large": "../secret.png"}, {"strip": "link/secret.png"}, {}],
    )
    (folder / "link").symlink_to(tmp_path)
    (folder / "images/002.png").unlink()
    (folder / "images/002.png").symlink_to(tmp_path / "secret.png")
    page = build_run_page(folder).read_text()
    assert "secret" not in page
    assert page.count("picture outside the run folder") == 3


def test_a_page_links_strips_and_large_pictures_beside_it(make_archive: MakeArchive) -> None:
    folder = make_archive(count=3)
    page = build_run_page(folder).read_text()
    cards = json.loads(page.split('id="data">')[1].split("</script>")[0])["cards"]
    assert [card["lineage"]["src"] for card in cards] == [
        f"strips/{place:03d}.png" for place in range(3)
    ]
    assert [card["large"] for card in cards] == [
        [f"large/{place:03d}.png", "64 by 64 pixels"] for place in range(3)
    ]
    assert all(len(card["lineage"]["frames"]) == 8 for card in cards)
    assert "ancestors" not in dict(cards[0]["details"])
