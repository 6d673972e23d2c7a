"""The YAML files of a kind, composed by Hydra and built as the command line builds them.

What a part needs in a test stands in the comment
at the top of its file, as Hydra overrides between spaces: ``# test: +image=china target=lemon``.
``# test-before:`` gives the words of a command that has to run before a recipe.
"""

from __future__ import annotations

import copy
import shlex
from functools import cache
from itertools import takewhile
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from synth.config.building import build
from synth.config.composing import CONF
from synth.config.plugins import options

# every key that means "how long", wherever it stands in a recipe, and what is enough for a test
SHORT = {
    "steps": 2,
    "generations": 2,
    "population": 4,
    "epochs": 1,
    "batch": 4,
    "iterations": 2,
    "frames": 2,
}


def overrides_of(kind: str, name: str, label: str = "test") -> list[str]:
    """The overrides on the lines ``# LABEL: ...`` at the top of ``KIND/NAME.yaml``."""
    lines = options(CONF, kind)[name].read_text(encoding="utf-8").splitlines()
    comments = takewhile(lambda line: line.startswith("#"), lines)
    start = f"# {label}: "
    return [
        word
        for comment in comments
        if comment.startswith(start)
        for word in shlex.split(comment.removeprefix(start))
    ]


def composed(*overrides: str, config: str = "experiment") -> dict[str, Any]:
    """The resolved configuration of an experiment with `overrides`."""
    return _tree(config, overrides, resolve=True)


def unresolved(*overrides: str, config: str = "config") -> dict[str, Any]:
    """The same as it is written, ``${...}`` and ``???`` included."""
    return _tree(config, overrides, resolve=False)


def _tree(config: str, overrides: tuple[str, ...], resolve: bool) -> dict[str, Any]:
    return copy.deepcopy(_composition(config, overrides, resolve))


@cache
def _composition(config: str, overrides: tuple[str, ...], resolve: bool) -> dict[str, Any]:
    """Composing takes longer than most tests do with the part; many ask for the same one."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composition = compose(config, overrides=list(overrides))
    settings = OmegaConf.to_container(composition, resolve=resolve)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def _default(kind: str) -> str:
    """The part of that kind which a synthesis has where nothing else is chosen."""
    entries = OmegaConf.load(CONF / "experiment.yaml").defaults
    return next(entry[kind] for entry in entries if kind in entry)


def part(kind: str, name: str, *overrides: str) -> Any:
    """The object that ``KIND/NAME.yaml`` describes.

    An objective is composed as the term of that name, unless it is the sum of terms itself.
    """
    words = [*overrides_of(kind, name), *overrides]
    if kind == "objective" and name != _default("objective"):
        term = composed(f"+objective@objective.terms.{name}={name}", *words)
        return build(term["objective"]["terms"][name], [])
    return build(composed(f"{kind}={name}", *words)[kind], [])
