"""Composing: where the folder ``conf/`` is, the keys of a recipe, and the parts it chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

Config = Any  # a DictConfig, whose own type hints beartype calls out of date

PACKAGE = Path(__file__).parents[1]
# within the package where it is installed, beside it in a checkout
CONF = next(path for path in (PACKAGE / "conf", PACKAGE.parent / "conf") if path.is_dir())


def key_of(word: str) -> str:
    """The key of an override: ``search.steps`` of ``+search.steps=3``."""
    return word.partition("=")[0].lstrip("+~")


def keys_and_parts(conf: Path, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What a recipe has to choose from; an override that fails is left out.

    Args:
        conf: the folder of the configuration.
        words: overrides that choose a recipe and parts.

    Returns:
        All keys, dotted; and the option chosen for each group (``search``, ``objective@monitor``).
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        composition = compose("config", return_hydra_config=True)
        accepted: list[str] = []
        for word in sorted(words, key=lambda word: key_of(word) != "recipe"):
            with suppress(Exception):
                composition = compose(
                    "config", overrides=[*accepted, word], return_hydra_config=True
                )
                accepted.append(word)
    choices = composition.hydra.runtime.choices
    tree = OmegaConf.to_container(composition, resolve=False)
    assert isinstance(tree, dict)
    tree.pop("hydra")
    return list(_dotted(tree)), {str(group): str(option) for group, option in choices.items()}


def _dotted(node: object, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if not str(key).startswith("_"):
                inner = f"{path}.{key}".lstrip(".")
                yield inner
                yield from _dotted(value, inner)
