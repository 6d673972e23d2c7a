"""Composing: where the folder ``conf/`` is, the keys of a recipe, and the parts it chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from synth.config import exchange, plugins
from synth.config.types import Config, Settings

PACKAGE = Path(__file__).parents[1]
# within the package where it is installed, beside it in a checkout
CONF = next(path for path in (PACKAGE / "conf", PACKAGE.parent / "conf") if path.is_dir())

exchange.install(CONF)
plugins.install(CONF)


def key_of(word: str) -> str:
    """The key of an override: ``search.steps`` of ``+search.steps=3``."""
    return word.partition("=")[0].lstrip("+~")


@dataclass(frozen=True)
class Composition:
    """What a recipe has to choose from.

    Attributes:
        keys: all keys, dotted.
        parts: the option chosen for each group (``search``, ``objective@monitor``).
        optional: keys that it lacks, and that its parts read where they are added.
        tree: the settings, references as they are written.
    """

    keys: list[str]
    parts: dict[str, str]
    optional: set[str]
    tree: Settings


def composition(conf: Path, words: Sequence[str]) -> Composition:
    """What a recipe composes to; an override that fails is left out.

    Args:
        conf: the folder of the configuration.
        words: overrides that choose a recipe and parts.
    """
    GlobalHydra.instance().clear()
    ordered = sorted(words, key=lambda word: key_of(word) != "recipe")
    with initialize_config_dir(str(conf), version_base="1.3"):
        try:
            cfg = _composed(ordered)
        except Exception:  # of any kind: find out which words are good
            accepted: list[str] = []
            cfg = _composed(accepted)
            for word in ordered:
                with suppress(Exception):
                    cfg = _composed([*accepted, word])
                    accepted.append(word)
    choices = cfg.hydra.runtime.choices
    tree = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(tree, dict)
    tree.pop("hydra")
    optional = set(re.findall(r"\$\{oc\.select:(\w+)", str(tree))) - {str(key) for key in tree}
    parts = {str(group): str(option) for group, option in choices.items()}
    settings = {str(key): value for key, value in tree.items()}
    return Composition(list(_dotted(tree)), parts, optional, settings)


def _composed(words: Sequence[str]) -> Config:
    return compose("config", overrides=list(words), return_hydra_config=True)


def _dotted(node: object, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if not str(key).startswith("_"):
                inner = f"{path}.{key}".lstrip(".")
                yield inner
                yield from _dotted(value, inner)
