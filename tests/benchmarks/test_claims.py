"""The page of claims is what their results render to, and its commands are those that were run."""

from __future__ import annotations

import re
import shlex
from types import ModuleType

import pytest
from console import CONF, ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.claims import topics

    return topics


def test_the_page_is_up_to_date(topics: ModuleType) -> None:
    from benchmarks.claims import page, results

    text = page.PAGE.read_text(encoding="utf-8")
    assert page.render(results.load()) == text, "run python -m benchmarks.claims --write"
    links = re.findall(r"\| \[[^|]*\]\(#([^)]*)\) \|", text)
    headings = [page._anchor(title) for title in re.findall(r"^### (.*)$", text, flags=re.M)]
    assert links == headings
    assert len(set(links)) == len(links) >= 40
    assert "](claims.md)" in (page.PAGE.parent / "README.md").read_text(encoding="utf-8")


def test_results_are_those_of_the_claims(topics: ModuleType) -> None:
    from benchmarks.claims import results

    claims, measured = topics.every_claim(), results.load()
    assert measured.keys() <= claims.keys()
    for name, result in measured.items():
        assert result.is_of(claims[name]), f"run python -m benchmarks.claims --only {name}"


def test_every_command_parses(topics: ModuleType) -> None:
    parser = OverridesParser.create()
    for topic in topics.TOPICS:
        for claim in topics.claims_of(topic):
            for command in claim.commands:
                program, *words = shlex.split(command)
                if program == "python":
                    flag, module, *parts = words
                    folder = ROOT / module.replace(".", "/")
                    assert flag == "-m"
                    assert folder.is_dir() or folder.with_suffix(".py").is_file()
                    assert len(parts) == 1
                    continue
                assert program == "synth"
                overrides = parser.parse_overrides(words)
                assert overrides[0].key_or_group == "recipe"
                assert (CONF / "recipe" / f"{overrides[0].value()}.yaml").is_file()


def test_quoted_figures_stand_in_measured(topics: ModuleType) -> None:
    from benchmarks.claims.claim import Quoted

    rows = (ROOT / "docs/measured.md").read_text(encoding="utf-8").splitlines()
    for topic in topics.TOPICS:
        for claim in topics.claims_of(topic):
            if isinstance(claim, Quoted):
                start = f"| {claim.row} | {claim.text}"
                assert any(row.startswith(start) for row in rows), claim.title


def test_intervals_and_their_text() -> None:
    from benchmarks.claims import claim

    share = claim.rate("hits", [True] * 9 + [False])
    assert share.text() == "hits: **90.0** (59.6 to 98.2) %"
    assert claim.above(share, 0.5)
    assert not claim.above(share, 0.6)
    assert not claim.below(share, 0.95)
    single = claim.mean("one", [2.0])
    assert single.text() == "one: **2**"
    assert claim.above(single, 1.9)
    assert claim.middle("middle", [1.0, 2.0, float("nan"), 3.0]).value == 2.0
