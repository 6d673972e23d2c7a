"""A part that the user exchanges takes along what the recipe says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console import CONF, Synth
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

import synth.config.composing  # noqa: F401 - Hydra composes with our loader

pytest_plugins = "console_fixtures"


def unresolved(*words: str, config: str = "config") -> dict[str, Any]:
    """What `words` compose to, ``${...}`` and ``???`` included."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = OmegaConf.to_container(compose(config, overrides=list(words)), resolve=False)
    assert isinstance(settings, dict)
    return settings


def part_of(kind: str, *words: str) -> dict[str, Any]:
    """The configuration of a part, without what it is made of."""
    part = unresolved(*words)[kind]
    return {key: value for key, value in part.items() if not isinstance(value, dict)}


@pytest.mark.parametrize(
    ("recipe", "search"),
    [
        ("class_ascent", "genetic"),
        ("class_ascent", "cma"),
        ("class_ascent", "lbfgs"),
        ("fooling_genetic", "gradient"),
        ("generator_genetic", "gradient"),
        ("black_box_attack", "gradient"),
        ("illumination", "gradient"),
        ("map_elites", "gradient"),
        ("fooling_cppn", "cma"),
    ],
)
def test_an_exchanged_search_has_its_own_numbers(recipe: str, search: str) -> None:
    alone = unresolved(f"search={search}", config="experiment")["search"]
    assert unresolved(f"recipe={recipe}", f"search={search}")["search"] == alone


def test_a_part_that_is_the_recipes_own_keeps_its_numbers() -> None:
    own = unresolved("recipe=class_ascent")
    assert own["search"]["rule"] == "normalised"
    assert own["search"]["regularisers"]["blur_every"] == 4
    assert unresolved("recipe=class_ascent", "search=gradient") == own


def test_an_exchanged_part_of_a_part_leaves_the_rest() -> None:
    search = unresolved("recipe=black_box_attack", "search/mutate=gaussian")["search"]
    assert (search["population"], search["mutate"]["sigma"]) == (1, 0.1)
    assert "first" not in search["mutate"]
    assert search["mate"]["_target_"].endswith("NoCrossover")


def test_what_the_user_wrote_holds_for_the_new_part() -> None:
    words = ["recipe=class_ascent", "search=genetic", "search/mate=two_point"]
    search = unresolved(*words, "search.population=5", "search.mate.rate=0.5")["search"]
    assert search["population"] == 5
    assert search["mate"] == {
        "_target_": "synth.searches.operators.crossover.TwoPoint",
        "rate": 0.5,
    }


def test_the_size_of_the_pictures_and_how_they_are_read_stay() -> None:
    settings = unresolved("recipe=maco", "encoding=dct", "network=squeezenet1_1")
    assert settings["encoding"]["size"] == 128
    assert settings["network"]["fit"] is True
    assert part_of("encoding", "recipe=fooling_cma", "encoding=fourier")["sd"] == 0.01


def test_an_exchanged_term_has_its_own_numbers() -> None:
    words = ["recipe=generator_diversity", "objective@objective.terms.diversity=total_variation"]
    assert unresolved(*words)["objective"]["terms"]["diversity"]["weight"] == 0.01
    monitor = part_of("monitor", "recipe=fooling_gradient", "objective@monitor=class_logit")
    assert monitor["score"] == "logit"


def test_one_of_two_contenders_of_the_same_recipe_is_exchanged() -> None:
    experiments = unresolved(
        "recipe=fooling_comparison",
        "+recipe@experiments.other=fooling_genetic",
        "search@experiments.other.search=gradient",
    )["experiments"]
    assert experiments["genetic"]["search"]["select"]["size"] == 4
    assert experiments["other"]["search"]["_target_"].endswith("Gradient")
    assert "select" not in experiments["other"]["search"]


def test_a_recipe_made_of_a_recipe_is_a_contender() -> None:
    whole = unresolved("recipe=fooling_comparison", "+recipe@experiments.one=generator_walk")
    own = unresolved("recipe=generator_walk")
    assert whole["experiments"]["one"]["search"] == own["search"]


def test_a_part_that_the_new_search_lacks_is_refused() -> None:
    with pytest.raises(ConfigCompositionException, match="'search/mate'"):
        unresolved("recipe=fooling_genetic", "search=gradient", "search/mate=uniform")


def test_what_is_remembered_is_not_changed_by_words() -> None:
    first = unresolved("recipe=class_ascent", "seed=3")
    changed = unresolved("recipe=class_ascent", "search.rate=0.125", "+search.more={a: 1}")
    assert changed["search"]["rate"] == 0.125
    assert unresolved("recipe=class_ascent", "seed=3") == first


def test_files_of_other_folders_are_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    words = "recipe=mine", f"hydra.searchpath=['file://{tmp_path}']"
    for rate in (0.5, 0.25):
        text = f"# @package _global_\ndefaults: [class_ascent]\nsearch: {{rate: {rate}}}\n"
        (tmp_path / "recipe/mine.yaml").write_text(text, encoding="utf-8")
        assert unresolved(*words)["search"]["rate"] == rate


@pytest.mark.parametrize("by_file", [False, True], ids=["by word", "by file"])
def test_hydras_mode_can_be_set_by_a_word_or_a_file(by_file: bool, synth: Synth) -> None:
    """Only where there is such a word or file does Hydra compose for its mode."""
    words = ["network=mini_alexnet,mini_resnet"]
    if by_file:
        Path("mine/recipe").mkdir(parents=True)
        layers = (CONF / "recipe/layers.yaml").read_text(encoding="utf-8")
        Path("mine/recipe/mine.yaml").write_text(f"{layers}\nhydra: {{mode: MULTIRUN}}\n")
        words += ["--config-dir", "mine", "recipe=mine"]
    else:
        words += ["hydra.mode=MULTIRUN", "recipe=layers"]
    ran = synth(*words)
    assert ran.code == 0, ran.err
    assert len(list(Path("runs").glob("*/network=*/result.json"))) == 2


def test_no_file_of_ours_sets_hydras_mode() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in CONF.rglob("*.yaml")}
    ours = [path for path, text in texts.items() if "hydra:" in text]
    assert ours
    for path in ours:
        assert OmegaConf.select(OmegaConf.load(path), "hydra.mode") is None, path
