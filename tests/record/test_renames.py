"""Names of earlier versions on the command line and in the table of classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import CONF, Synth
from hydra.utils import get_object

from synth.record.renames import CLASSES, FIGURES, KEYS, OPTIONS, current_word

pytest_plugins = "console_fixtures"

# a word with an old name: the word as it is written now
WORDS = {
    "watch=null": "monitor=null",
    "~watch": "~monitor",
    "objective@watch=class_logit": "objective@monitor=class_logit",
    "+objective@watch=attack,class_margin": "+objective@monitor=attack,class_margin",
    "watch.measure=probability": "monitor.score=probability",
    "monitor.measure=probability": "monitor.score=probability",
    "experiments.gradient.watch.weight=2": "experiments.gradient.monitor.weight=2",
    "objective@experiments.gradient.watch=attack": "objective@experiments.gradient.monitor=attack",
    "objective.terms.aim.measure=margin": "objective.terms.aim.score=margin",
    "objective.measure=margin": "objective.score=margin",
    "experiments.one.objective.terms.aim.measure=margin": (
        "experiments.one.objective.terms.aim.score=margin"
    ),
    "+measure@measures.distances=distances": "+metric@metrics.distances=distances",
    "+measure@measures.mine=strip": "+figure@figures.mine=strip",
    "~measure@measures.triptych": "~figure@figures.triptych",
    "~measure@measures.distances": "~metric@metrics.distances",
    "measures.strip.across=3": "figures.strip.across=3",
    "measures.fooling_rate.sheet=0": "metrics.fooling_rate.sheet=0",
    "measures={}": "metrics={}",
    "encoding.rounded=false": "encoding.eight_bit=false",
    "experiments.one.encoding.rounded=false": "experiments.one.encoding.eight_bit=false",
    "encoding=multifaceted": "encoding=cluster_means",
    "encoding.facets=3": "encoding.clusters=3",
    "encoding=facets": "encoding=several_images",
    "encoding=pixels,facets": "encoding=pixels,several_images",
    "encoding@encoding.encoding=facets": "encoding@encoding.encoding=several_images",
    "objective@objective.terms.aim=rivals": "objective@objective.terms.aim=alternatives",
}


@pytest.mark.parametrize("word", WORDS)
def test_an_old_word_is_written_anew(word: str) -> None:
    assert current_word(word) == WORDS[word]
    assert current_word(WORDS[word]) == WORDS[word]


@pytest.mark.parametrize(
    "word",
    [
        "recipe=multifaceted",
        "objective.terms.watch.weight=2",
        "+objective@objective.terms.rounded=l2",
        "+metric@metrics.measure=distances",
        "target=measure",
        "search.watch=3",
        "--multirun",
        "-m",
        "objective.terms.measure=null",
    ],
)
def test_a_word_that_only_looks_like_an_old_one_stays(word: str) -> None:
    assert current_word(word) == word


@pytest.mark.parametrize("multirun", [[], ["-m"]], ids=["one run", "sweep"])
def test_the_command_line_refuses_an_old_word_with_the_new_one(
    multirun: list[str], synth: Synth
) -> None:
    line = synth(*multirun, "recipe=fooling_gradient", "watch.measure=margin").complaint
    assert line == "watch.measure=margin: has another name now; write monitor.score=margin"
    assert not Path("runs").exists()


def test_a_recipe_of_the_users_own_is_told_of_old_names(synth: Synth, tmp_path: Path) -> None:
    own = tmp_path / "own" / "recipe"
    own.mkdir(parents=True)

    def line(*defaults: str, more: str = "") -> str:
        entries = "".join(f"  - {entry}\n" for entry in ("/experiment", *defaults))
        (own / "mine.yaml").write_text(f"# @package _global_\ndefaults:\n{entries}{more}")
        return synth("--config-dir", tmp_path / "own", "recipe=mine", "device=cpu").complaint

    assert line("override /encoding: multifaceted") == (
        "encoding=multifaceted: it is called cluster_means now; write encoding=cluster_means"
    )
    assert line("/measure@measures.strip: strip") == (
        "measure=strip: it is a figure now; write figure@figures.NAME=strip"
    )
    assert line("/objective@watch: class_logit") == ("watch: it is called monitor now; write that.")
    assert line(more="objective: {terms: {it: {_target_: synth.objectives.rivals.Rivals}}}") == (
        "objective.terms.it._target_=synth.objectives.rivals.Rivals: "
        "it is called synth.objectives.alternatives.Alternatives now; write that."
    )


def test_the_tables_lead_to_names_that_exist() -> None:
    for path in CLASSES.values():
        value = get_object(path)
        assert f"{value.__module__}.{value.__qualname__}" == path
    for (group, old), option in OPTIONS.items():
        assert (CONF / group / f"{option}.yaml").is_file()
        assert not (CONF / group / f"{old}.yaml").exists()
    assert sorted(FIGURES) == sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))
    assert not [name for names in KEYS.values() for name in names if name in KEYS]
