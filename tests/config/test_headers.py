"""What the YAML files say of themselves: sentence, formula, source, criterion, examples, keys."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from console import CONF

from synth.config.headers import comments_of, header_of, read
from synth.config.networks import offer_classifiers
from synth.config.shorthand import WORDS, meaning_of
from synth.contract.parts import unresolved

RECIPES = sorted((CONF / "recipe").glob("*.yaml"))
WITHOUT_FORMULA = {"layers"}
TEXT = """\
# @package _global_
# A sentence.
# More of it,
# in two lines.
# formula: max over x
#   of f(x)
# formula: f a function
# source: Somebody 2016, A title
# source: Nobody 2017
# success: f(x) > 0
# example: image=china
# group: fool
defaults:
  - /experiment  # no key

image: china     # a picture
search: {steps: 3, rate: 0.1}  # short
objective:
  terms:
    tv:
      weight: 1  # of the term
    unit: '#3'
"""


def test_a_header_and_the_comments_of_keys() -> None:
    header = header_of(TEXT)
    assert header.labels["example"] == ["image=china"]
    assert header.labels["group"] == ["fool"]
    assert header.about == {
        "sentence": "A sentence.",
        "text": "More of it, in two lines.",
        "formula": "max over x of f(x)\nf a function",
        "source": "Somebody 2016, A title; Nobody 2017",
        "success": "f(x) > 0",
    }
    assert header_of("_target_: x\n").about == {}
    assert comments_of(TEXT) == {
        "image": "a picture",
        "search": "short",
        "objective.terms.tv.weight": "of the term",
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_does_after_whom_and_how_it_is_used(path: Path) -> None:
    name = path.stem
    labels = header_of(read(path)).labels
    assert ("formula" in labels) != (name in WITHOUT_FORMULA)
    assert labels["source"]
    assert len(labels["success"]) == 1
    assert len(labels["example"]) == 3
    examples = [shlex.split(example) for example in labels["example"]]
    plain = [example for example in examples if not any(map(is_part, example))]
    # those that exchange no part in one composition
    together = [word for example in plain for word in example]
    for words in [together, *(example for example in examples if example not in plain)]:
        by_key = {word.partition("=")[0]: word for word in words}
        short = [by_key.pop(key) for key in WORDS if key in by_key]
        offer_classifiers(CONF, words)
        tree = unresolved(f"recipe={name}", *by_key.values())
        assert all(meaning_of(word.partition("=")[0], tree) for word in short)


def is_part(word: str) -> bool:
    return (CONF / word.partition("=")[0].partition("@")[0].lstrip("+")).is_dir()
