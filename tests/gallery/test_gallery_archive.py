"""The archive and its confidence map, against numpy on the same numbers, and damaged records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from archive_folders import MakeArchive
from run_folders import MakeRun

from synth.gallery import build_run_page
from synth.gallery.archive import Archive, Cell, confidence_curve, coverage_chart, read_archive
from synth.gallery.folder import Run
from synth.gallery.heatmap import HeatMap, heat_map_of, shade_of

DAMAGED = [
    {"evaluations": 3, "names": {}, "confidence": "none"},
    {"confidence": [[0.1, "x", None, 2.0, True], [], 7, [0.5]]},
    {
        "evaluations": [5, 4, 3],
        "steps": ["a", None],
        "names": [None, 3, ["b"]],
        "confidence": [[0.1, 0.2, 0.3]],
    },
    {
        "evaluations": [0, 10, 10, float("nan"), 20],
        "names": ["a", "b"],
        "confidence": [[0, 0.5], [0.1] * 9],
    },
    {"evaluations": [1, 2], "names": ["a"], "confidence": []},
    {"confidence": [[10**400, -1, float("inf")]]},
    ["no", "object"],
]


def read(folder: Path) -> Archive:
    archive = read_archive(Run(folder))
    assert archive is not None
    return archive


def recorded(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    record = json.loads((folder / "result.json").read_text())["archive"]
    return np.array(record["confidence"], dtype=float), np.array(record["evaluations"])


def test_cells_are_ordered_by_when_they_reached_99_percent(
    make_archive: MakeArchive,
) -> None:
    folder = make_archive()
    archive = read(folder)
    confidence, evaluations = recorded(folder)
    reached = confidence >= 0.99
    first = np.where(reached.any(1), evaluations[reached.argmax(1)], np.inf)
    moments = [archive.when(cell, 0.99) for cell in archive.cells]
    assert [np.inf if moment is None else moment for moment in moments] == sorted(first)
    rest = [cell.final for cell in archive.cells if cell.reached(0.99) is None]
    assert len(rest) > 1
    assert rest == sorted(rest, reverse=True)
    assert sorted(cell.name for cell in archive.cells) == sorted(
        f"class {place}" for place in range(30)
    )


def test_coverage_counts_cells_at_each_level(make_archive: MakeArchive) -> None:
    folder = make_archive(empty=(4, 9))
    confidence, evaluations = recorded(folder)
    chart = coverage_chart(read(folder))
    assert chart is not None
    assert chart.share
    for line, level in zip(chart.lines, (0.5, 0.9, 0.99), strict=False):
        assert [at for at, _ in line.points] == evaluations.tolist()
        assert [up for _, up in line.points] == pytest.approx((confidence >= level).mean(0))
        assert line.name.endswith(f": {(confidence[:, -1] >= level).sum()} of 30")
    assert [up for _, up in chart.lines[3].points] == pytest.approx(np.nanmean(confidence, 0))


def rasterised(heat_map: HeatMap, rows: int, across: np.ndarray) -> np.ndarray:
    """The shades of the map's rectangles at `across`, 0 to 1000, as [rows, points]; -1 for none."""
    shades = np.full((rows, len(across)), -1)
    for shade in heat_map.shades:
        for left, down, right, back in re.findall(
            r"M([\d.]+) (\d+)H([\d.]+)v1H([\d.]+)z", shade.path
        ):
            assert left == back
            inside = (across > float(left)) & (across < float(right))
            assert (shades[int(down), inside] == -1).all(), "two rectangles overlap"
            shades[int(down), inside] = shade.level
    return shades


def test_the_map_shows_at_every_point_the_nearest_moment(make_archive: MakeArchive) -> None:
    archive = read(make_archive(empty=(3,)))
    heat_map = heat_map_of(archive, {})
    moments = np.array(archive.moments)
    at = np.sort(
        np.concatenate(
            [moments[:-1] + share * np.diff(moments) for share in (0.02, 0.48, 0.52, 0.98)]
        )
    )
    across = 1000 * (at - moments[0]) / (moments[-1] - moments[0])
    nearest = np.abs(at[:, None] - moments).argmin(1)
    expected = [
        [-1 if cell.history[place] is None else shade_of(cell.history[place]) for place in nearest]
        for cell in archive.cells
    ]
    assert (rasterised(heat_map, len(archive.cells), across) == expected).all()
    assert heat_map.gaps


def test_the_script_reads_the_courses_in_whole_per_cent(make_archive: MakeArchive) -> None:
    archive = read(make_archive())
    for cell, (name, card, changes) in zip(
        archive.cells, heat_map_of(archive, {"class 3": 3}).data["rows"], strict=True
    ):
        assert name == cell.name
        assert card == (3 if name == "class 3" else None)
        latest = [
            max(place for place in range(0, len(changes), 2) if changes[place] <= column)
            for column in range(60)
        ]
        assert [changes[place + 1] for place in latest] == [
            int(value * 100 + 1e-9) for value in cell.history
        ]


def test_shades_grow_and_the_last_begins_where_it_says() -> None:
    shades = [shade_of(value) for value in np.linspace(0, 1, 1001)]
    assert shades == sorted(shades)
    assert set(shades) == set(range(21))
    assert (shade_of(0.9899), shade_of(0.99), shade_of(0.05), shade_of(0.95)) == (19, 20, 1, 19)


def test_a_curve_is_even_in_evaluations_where_moments_are_not() -> None:
    archive = Archive("evaluations", (0.0, 1.0, 2.0, 100.0), (Cell("a", (0.0, 0.1, None, 0.3)),))
    assert confidence_curve(archive, "a", 5) == [0.0, 0.3]  # between 2 and 100 nothing is known
    assert confidence_curve(archive, "b", 5) == []


def test_a_thousand_cells_at_a_thousand_moments_stay_small(make_run: MakeRun) -> None:
    steep = np.linspace(1, 4, 1200)[:, None]
    confidence = np.clip(np.linspace(0, 1, 1000) ** steep, 0, 1).round(4).tolist()
    archive = read(
        make_run(items=[], archive={"evaluations": list(range(1000)), "confidence": confidence})
    )
    heat_map = heat_map_of(archive, {})
    assert len(archive.moments) == 240
    assert (archive.moments[0], archive.moments[-1]) == (0, 999)
    assert (len(archive.cells), archive.left_out, heat_map.named) == (1000, 200, False)
    assert sum(len(shade.path) for shade in heat_map.shades) < 600_000


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_archive_shows_what_can_be_read(make_run: MakeRun, damaged: object) -> None:
    folder = make_run(archive=damaged)
    archive = read_archive(Run(folder))
    page = build_run_page(folder).read_text()
    assert ('id="map"' in page) == (archive is not None)
    if archive:
        values = [value for cell in archive.cells for value in cell.history if value is not None]
        assert all(0 <= value <= 1 for value in values)
        assert list(archive.moments) == sorted(set(archive.moments))


def test_ragged_rows_and_missing_names(make_run: MakeRun) -> None:
    archive = read(
        make_run(
            archive={
                "steps": [1, 2, 3],
                "names": ["a", "", "c"],
                "confidence": [[0.1, 0.2], [1.0] * 9],
            }
        )
    )
    assert archive.across == "step"
    assert [(cell.name, cell.history) for cell in archive.cells] == [
        ("cell 2", (1.0, 1.0, 1.0)),
        ("a", (0.1, 0.2, None)),
        ("c", (None, None, None)),
    ]


def test_a_folder_without_an_archive_has_no_map(make_run: MakeRun) -> None:
    page = build_run_page(make_run()).read_text()
    assert 'id="map"' not in page
    assert "<h2>Pictures</h2>" in page


def test_empty_niches_are_counted_and_no_error(make_archive: MakeArchive) -> None:
    folder = make_archive(empty=(2, 5))
    assert Run(folder).missing == ()
    page = build_run_page(folder).read_text()
    assert "28 pictures · 2 empty niches" in page
    assert page.count(">empty</button>") == 2
    assert "no picture" not in page
