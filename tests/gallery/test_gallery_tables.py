"""The tables above the pictures: columns for what was measured, and no number twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from run_folders import MakeRun

from synth.gallery import build_run_page
from synth.gallery.folder import Run
from synth.gallery.tables import contender_table, findings_of

FINDINGS = {
    "success": 2,
    "items": 2,
    "mean_confidence": 0.505,
    "median_confidence": 0.5,
    "forwards": 9,
    "backwards": 8,
}


def columns(run: Run) -> dict[str, list[str]]:
    table = contender_table(run)
    assert all(
        len(row.cells) == len(table.headings) - 1 == len(table.numeric) for row in table.rows
    )
    return {
        heading: [row.cells[place] for row in table.rows]
        for place, heading in enumerate(table.headings[1:])
    }


def test_a_comparison_gets_a_column_for_what_it_measured(make_run: MakeRun) -> None:
    rows: dict[str, Any] = {
        "gradient": {
            "items": 8,
            "transfer_success": 3,
            "transfer_confidence": 0.125,
            "natural_distance": 0.41234,
        },
        "genetic": {
            "items": 8,
            "transfer_success": 0.5,
            "passes_to_success": 1200.5,
            "natural_distance": "far",
        },
        "cma": {"items": 8, "transfer_success": None},
    }
    cells = columns(Run(make_run(contenders=rows)))
    assert cells["Transferred"] == ["3 / 8", "50.0 %", "\N{EN DASH}"]
    assert cells["Transfer confidence"] == ["12.5 %", "\N{EN DASH}", "\N{EN DASH}"]
    assert cells["Natural distance"] == ["0.412", "\N{EN DASH}", "\N{EN DASH}"]
    assert cells["Passes to success"] == ["\N{EN DASH}", "1,200", "\N{EN DASH}"]


def test_a_plain_comparison_has_the_usual_columns(make_run: MakeRun) -> None:
    cells = columns(Run(make_run(contenders={"gradient": {"items": 2}, "genetic": 3})))
    assert "Transferred" not in cells
    assert len(cells) == 8


def details(folder: Path) -> dict[str, str]:
    page = build_run_page(folder).read_text()
    return dict(
        json.loads(page.split('id="data">')[1].split("</script>")[0])["cards"][0]["details"]
    )


def test_the_enlarged_view_says_what_was_measured(make_run: MakeRun) -> None:
    fields = {
        "transfer_success": False,
        "transfer_confidence": 0.03,
        "natural_distance": 0.51,
        "passes_to_success": 80,
    }
    lines = details(make_run("one", [{**fields, "generations": 57, "niche": "dark, smooth"}]))
    assert lines["Transfer"] == "failed, 3.0 %"
    assert lines["Natural distance"] == "0.51"
    assert lines["To success"] == "80 passes"
    assert lines["Generations"] == "57"
    assert lines["Niche"] == "dark, smooth"
    plain = details(make_run("two"))
    assert not {"Transfer", "Natural distance", "To success", "Generations", "Niche"} & plain.keys()


def test_findings_leave_out_what_stands_large_above_them(make_run: MakeRun) -> None:
    findings = dict(findings_of(Run(make_run("a", findings=FINDINGS))))
    assert list(findings) == ["mean confidence", "forwards", "backwards"]
    assert list(dict(findings_of(Run(make_run("b", items=[], findings={"items": 3}))))) == ["items"]
