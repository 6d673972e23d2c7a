"""What an earlier run left in its folder as configuration, in the names of this version.

A run folder is data, and may be another person's: of what its configuration names nothing but
encodings is built, and nothing is computed.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from synth.config import references
from synth.config.composing import key_of
from synth.config.definitions import is_own, own_definition, parameters_of
from synth.config.identity import NOT_IDENTITY
from synth.config.references import UNREADABLE
from synth.config.sharing import resolved
from synth.config.types import Config
from synth.errors import InputError
from synth.record.renames import CLASSES, KEYS, current_word


def encoding_of(folder: object, contender: str | None) -> Config:
    """The configuration of the encoding that the run in `folder` had.

    Args:
        folder: a run folder, of this version or an earlier one.
        contender: of a comparison, which experiment; else None.

    Raises:
        InputError: where the folder holds no synthesis.
    """
    if not isinstance(folder, str):  # what YAML takes for a number, a list or nothing
        raise InputError(f"run={folder}: no path; for a folder of that name write run=./{folder}.")
    try:
        tree = resolved(references.load(Path(folder) / ".hydra/config.yaml"))
        settings = (_experiment(tree["experiments"], contender) if contender else tree)["encoding"]
        if not isinstance(settings, dict) or "_target_" not in settings:
            raise TypeError("no encoding")
        return OmegaConf.create(_current(settings, folder))
    except UNREADABLE as error:
        raise InputError(
            f"run={folder}: no synthesis; name the folder of one (contender= in a comparison)."
        ) from error


def _experiment(experiments: dict[str, Any], contender: str) -> Any:
    """The experiment of that name; of ``cppn-3``, a search of several with the seed 3, ``cppn``."""
    name = contender if contender in experiments else contender.rpartition("-")[0]
    return experiments[name]


def _current(node: object, folder: str) -> object:
    """`node` with the classes and keys of this version; every class must be an encoding's."""
    if isinstance(node, list):
        return [_current(entry, folder) for entry in node]
    if isinstance(node, str) and "${" in node:
        raise ValueError(f"{node} would be computed")
    if not isinstance(node, dict):
        return node
    node = {str(key): _current(value, folder) for key, value in node.items()}
    if "_target_" not in node:
        return node
    target = CLASSES.get(str(node["_target_"]), str(node["_target_"]))
    if not is_own(target):
        raise InputError(
            f"run={folder}: its encoding names {target}, which is no part of synth, and nothing "
            "that a run folder names is imported; where you trust it, write it yourself: "
            f"'encoding={{_target_: {target}, ...}}', with the settings in .hydra/config.yaml."
        )
    if not _is_encoding(target):
        raise InputError(f"run={folder}: its encoding names {target}, which is no encoding.")
    takes = parameters_of(target, "encoding") or []
    settings = {"_target_": target}
    for key, value in node.items():
        if key.startswith("_"):  # Hydra's own: positional arguments, partial calls
            continue
        names = [] if key in takes else [name for name in KEYS.get(key, ()) if name in takes]
        settings[names[0] if names else key] = value
    return settings


def _is_encoding(target: str) -> bool:
    """Whether the path is that of an encoding's class, or of a function that returns encodings."""
    from synth.core import Encoding  # imports torch

    try:
        value = own_definition(target, "encoding._target_")
    except InputError:
        return False
    if inspect.isfunction(value) and value.__qualname__ == value.__name__:  # no method
        value = typing.get_type_hints(value).get("return")
    return inspect.isclass(value) and issubclass(value, Encoding)


def is_same_command(folder: Path, recipe: str, overrides: Sequence[str]) -> bool:
    """Whether a run of an earlier version was begun in `folder` by the same command line.

    Its configuration is then another one in name only, or in settings that this version has added.

    Args:
        folder: the run folder.
        recipe: name of the recipe.
        overrides: the words of the command line.
    """
    try:
        cfg = references.read_yaml(folder / ".hydra/config.yaml")
        tree = OmegaConf.to_container(cfg, resolve=False)
        words = references.read_yaml(folder / ".hydra/overrides.yaml")
        chosen = f"recipe={recipe}"
        before = _meaning([str(word) for word in OmegaConf.to_container(words, resolve=False)])
    except UNREADABLE:
        return False
    return _names_old_class(tree) and {*before, chosen} == {*_meaning(overrides), chosen}


def _meaning(overrides: Sequence[str]) -> set[str]:
    """The words that decide what a run is, in the names of this version.

    A word with `recipe` of another recipe is one of them, so that recipes are compared too.
    """
    words = {current_word(word) for word in overrides}
    return {word for word in words if key_of(word) not in NOT_IDENTITY}


def _names_old_class(node: object) -> bool:
    if isinstance(node, list):
        return any(map(_names_old_class, node))
    if not isinstance(node, dict):
        return False
    return str(node.get("_target_")) in CLASSES or any(map(_names_old_class, node.values()))
