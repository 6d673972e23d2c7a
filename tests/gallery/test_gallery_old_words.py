"""Run folders of earlier releases: their words are shown as the present ones."""

from __future__ import annotations

import html

import pytest
from run_folders import MakeRun

from synth.gallery import build_run_page
from synth.gallery.folder import Run
from synth.record.renames import current_word


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("watch=null", "monitor=null"),
        ("watch.measure=rate", "monitor.score=rate"),
        ("objective@watch=class_margin", "objective@monitor=class_margin"),
        ("+objective@watch=untargeted", "+objective@monitor=untargeted"),
        ("objective.terms.aim.measure=cross_entropy", "objective.terms.aim.score=cross_entropy"),
        ("measures.fooling_rate.sheet=3", "metrics.fooling_rate.sheet=3"),
        ("measures.walk.frames=2", "figures.walk.frames=2"),
        ("+measure@measures.strip=strip", "+figure@figures.strip=strip"),
        ("+measure@measures.distances=distances", "+metric@metrics.distances=distances"),
        ("~measures.triptych", "~figures.triptych"),
        ("encoding=multifaceted", "encoding=cluster_means"),
        ("encoding=facets", "encoding=several_images"),
        ("encoding.facets=2", "encoding.clusters=2"),
        ("encoding.rounded=false", "encoding.eight_bit=false"),
        ("target=[watch,facets]", "target=[watch,facets]"),
        ("search.watchful=1", "search.watchful=1"),
        ("monitor=null", "monitor=null"),
    ],
)
def test_overrides(old: str, new: str) -> None:
    assert current_word(old) == new


def test_a_page_of_an_old_run_uses_the_present_words(make_run: MakeRun) -> None:
    folder = make_run(
        items=[{"target": "not what is there", "facet": 1}],
        encoding="multifaceted",
        overrides=["watch=null", "target=lemon"],
    )
    (item,) = Run(folder).items
    assert (item.target, item.encoding) == ("untargeted", "clustermeans")
    page = html.unescape(build_run_page(folder).read_text())
    assert "synth recipe=fooling monitor=null target=lemon" in page
    assert "untargeted" in page
    assert "gradient on clustermeans" in page
    assert '["facet","1"]' in page
    for word in ("not what is there", "multifaceted", "watch="):
        assert word not in page
