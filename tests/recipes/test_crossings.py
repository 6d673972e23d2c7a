"""Any search on any encoding under any objective: parts are crossed at random.

``python -m benchmarks.abuse crossing`` draws the same way for as long as told.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.abuse import crossing

DRAWS = 14


@pytest.fixture(scope="module")
def crossings(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[None]:
    """The working folder of the draws."""
    with crossing.prepared(tmp_path_factory.mktemp("crossings"), weights):
        yield


pytest_plugins = "console_fixtures"


@pytest.mark.usefixtures("crossings")
def test_parts_run_or_one_line_says_why_they_cannot_meet() -> None:
    counts: Counter[str] = Counter()
    for seed in range(DRAWS):
        words = crossing.drawn(random.Random(seed))
        kind, text = crossing.outcome(words)
        counts[kind] += 1
        assert kind != "failed", f"{' '.join(words)}\n{text}"
    assert counts["ran"] > counts["refused"] / 3


@pytest.mark.usefixtures("crossings")
@pytest.mark.parametrize(
    ("recipes", "more"),
    [
        (
            "projected_gradient fast_gradient_sign minimal_perturbation black_box_attack_targeted",
            ["image=china", "target=lemon", "budget=40"],
        ),
        (
            "style_transfer maco generator_ascent generator_cma generator_genetic map_elites",
            ["target=[lemon,teapot]", "budget=20"],
        ),
    ],
)
def test_recipes_are_contenders(recipes: str, more: list[str]) -> None:
    words = ["recipe=fooling_comparison", *more]
    words += [f"~experiments.{name}" for name in ("gradient", "genetic", "cma", "cppn")]
    words += [f"+recipe@experiments.{name}={name}" for name in recipes.split()]
    assert crossing.outcome(words) == ("ran", "")


@pytest.mark.usefixtures("crossings")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "recipe=class_ascent search=map_elites monitor=null target=[lemon,teapot]",
            "search=map_elites: an objective with a score for each of the 2 items is needed",
        ),
        (
            "recipe=texture +objective@objective.terms.class=class_logit",
            "target: ClassScore needs a word .*; write target=",
        ),
        (
            "recipe=fooling_genetic search/select=stock search.select.name=selRoulette",
            "search.select.name=selRoulette: needs a fitness of 0 or more",
        ),
        (
            "recipe=fooling_gradient image=china encoding=cppn_weights",
            "image: encoding=cppn_weights does not start from a picture",
        ),
        (
            "recipe=deepdream network=mini_resnet layer=conv5",
            "layer=conv5: mini_resnet has no such layer",
        ),
    ],
)
def test_parts_that_cannot_meet_are_refused_in_words_of_the_user(words: str, line: str) -> None:
    kind, text = crossing.outcome(words.split())
    assert kind == "refused"
    assert re.match(line, text), text
