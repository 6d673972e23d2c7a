"""The contract of a YAML file: it says what it is, its keys are parameters, none is missing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from synth.config.composing import CONF
from synth.config.definitions import definition


def _targets(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield where, node
        for key, value in node.items():
            yield from _targets(value, f"{where}.{key}")


def _chosen(settings: Any) -> set[str]:
    """The keys of a part's own parts: ``select`` of `select: tournament`, ``of`` of `mutate@of`."""
    entries = [
        next(iter(entry)) for entry in settings.get("defaults", []) if isinstance(entry, dict)
    ]
    return {
        entry.rsplit("/", 1)[-1].rsplit("@", 1)[-1].split(".")[0]
        for entry in entries
        if "override" not in entry
    }


def test_it_begins_with_a_sentence_that_says_what_it_is(yaml_file: Path) -> None:
    lines = yaml_file.read_text(encoding="utf-8").splitlines()
    if yaml_file.parent.name == "recipe":
        assert lines.pop(0) == "# @package _global_"
    assert lines[0].startswith("# ")
    assert not lines[0].startswith("# test")
    assert not [line for line in lines if len(line) > 100]


def test_keys_are_parameters(yaml_file: Path) -> None:
    settings = OmegaConf.to_container(OmegaConf.load(yaml_file), resolve=False)
    for where, node in _targets(settings):
        target = node["_target_"]
        assert target.startswith("synth.") or not yaml_file.is_relative_to(CONF)
        parameters = inspect.signature(definition(target, where)).parameters.values()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            continue
        takes = {parameter.name for parameter in parameters}
        keys = {key for key in node if not key.startswith("_")}
        recipe = (
            yaml_file.parent.name == "recipe"
        )  # has keys beside its target that the parts refer to
        if not recipe:
            keys = keys - {"defaults"} | (_chosen(settings) if not where else set())
            assert keys <= takes, f"{where}: {target} takes no {keys - takes}"
            needed = {
                parameter.name for parameter in parameters if parameter.default is parameter.empty
            }
            assert needed <= keys or node.get("_partial_"), (
                f"{where}: {target} needs {needed - keys}"
            )


def test_a_recipe_has_self_nowhere_and_overrides_last(yaml_file: Path) -> None:
    settings = OmegaConf.to_container(OmegaConf.load(yaml_file), resolve=False)
    assert isinstance(settings, dict)
    defaults = settings.get("defaults", [])
    if yaml_file.parent.name != "recipe":
        own = all(_chosen({"defaults": [entry]}) for entry in defaults if entry != "_self_")
        assert own, "a part stands alone, but for the parts it is made of"
        assert not defaults or defaults[-1] == "_self_", "what the part says has the last word"
        return
    assert "_self_" not in defaults, "put first, it silently drops what the recipe says"
    kinds = [
        "override" in str(next(iter(entry))) if isinstance(entry, dict) else False
        for entry in defaults
    ]
    assert kinds == sorted(kinds), "override lines come last"
