"""Curves: where their points lie, against numbers worked out by hand."""

from __future__ import annotations

import pytest
from run_folders import MakeRun

from synth.gallery.curves import charts_of, item_curves, term_charts
from synth.gallery.folder import Run


def test_one_search_by_step_with_passes_below(make_run: MakeRun) -> None:
    steps = [
        {
            "step": step,
            "best": 0.25 * step,
            "mean": 0.0,
            "forwards": 10 * step,
            "backwards": 10 * step,
        }
        for step in range(5)
    ]
    (chart,) = charts_of(Run(make_run(steps=steps)))
    best, mean = chart.lines
    assert best.path == "M0.0,1000.0L250.0,750.0L500.0,500.0L750.0,250.0L1000.0,0.0"
    assert {point.split(",")[1] for point in mean.path[1:].split("L")} == {"1000.0"}
    assert [(tick.at, tick.text, tick.below) for tick in chart.x_ticks[:2]] == [
        (0, "0", "0"),
        (25, "1", "30"),
    ]
    assert [tick.text for tick in chart.y_ticks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]


def test_a_comparison_counts_passes_an_item(make_run: MakeRun) -> None:
    steps = [
        {
            "contender": name,
            "mean": 0.5,
            "seconds": 1.0 * step,
            "forwards": 40 * step,
            "backwards": backwards * step,
        }
        for name, backwards in (("gradient", 40), ("genetic", 0))
        for step in (1, 2)
    ]
    run = Run(make_run(steps=steps, contenders={"gradient": {"items": 4}, "genetic": {"items": 8}}))
    by_passes, by_seconds = charts_of(run)
    assert [[x for x, _ in line.points] for line in by_passes.lines] == [[30, 60], [5, 10]]
    assert [[x for x, _ in line.points] for line in by_seconds.lines] == [[1, 2], [1, 2]]
    assert [line.colour for line in by_passes.legend] == [0, 1]


def test_terms_keep_their_own_scale(make_run: MakeRun) -> None:
    steps = [{"step": step, "terms": {"class": 3.0 * step, "l2": -0.5}} for step in range(10)]
    charts = {chart.title: chart for chart in term_charts(Run(make_run(steps=steps)))}
    assert list(charts) == ["class", "l2"]
    assert [tick.text for tick in charts["class"].y_ticks] == ["0", "10", "20", "30"]


def test_long_runs_are_thinned_but_keep_both_ends(make_run: MakeRun) -> None:
    steps = [
        {"step": step, "best": step / 5000, "mean": 0, "items": [step / 5000, 1]}
        for step in range(5000)
    ]
    run = Run(make_run(steps=steps))
    points = charts_of(run)[0].lines[0].points
    assert len(points) == 400
    assert (points[0][0], points[-1][0]) == (0, 4999)
    first, second = item_curves(run)
    assert len(first) == 80
    assert first[-1] == pytest.approx(0.9998)
    assert set(second) == {1}


def test_curves_need_two_points(make_run: MakeRun) -> None:
    assert charts_of(Run(make_run(steps=[{"step": 0, "best": 1, "mean": 1}]))) == []
    assert charts_of(Run(make_run("second", steps=[{"step": 0, "best": None}, {"loss": 1}]))) == []


def test_an_energy_between_0_and_1_is_no_confidence(make_run: MakeRun) -> None:
    steps = [{"step": step, "best": 0.1 * step, "mean": 0.1 * step} for step in range(4)]
    (sure,) = charts_of(Run(make_run(items=[{}], steps=steps)))
    assert (sure.title, sure.lines[0].name, sure.share) == ("Confidence", "confidence", True)
    (energy,) = charts_of(
        Run(make_run("second", items=[{"confidence": None, "target_index": None}], steps=steps))
    )
    assert (energy.title, energy.lines[0].name, energy.share) == (
        "Monitored value",
        "monitored value",
        False,
    )
