"""Configurations as files: references to other keys stay, computed values are written out.

A run folder may be another person's. What its configuration would compute when it is resolved, by
``${oc.env:NAME}`` or any other resolver, is never computed: only references are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError
from yaml.events import AliasEvent

from synth.config.types import Config, Settings
from synth.files import read_text

LARGEST = 1 << 20  # bytes of a recorded configuration; they have a few thousand
# what a configuration of another form, or one that was changed by hand, makes its readers raise
UNREADABLE = (
    OSError,
    AssertionError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    RecursionError,
    YAMLError,
    OmegaConfBaseException,
)

# ``${key}``, ``${key.${other}}``, ``${oc.select:key,default}`` where the default may refer too
_KEY = r"(?:[^${}:,]|\$\{(?:oc\.select:)?[^${}:]+\})+"
_PLAIN = r"\$\{" + _KEY + r"\}"
_SELECT = r"\$\{oc\.select:" + _KEY + r"(?:,(?:[^${}]*|\s*" + _PLAIN + r"\s*))?\}"
_REFERENCE = re.compile(f"{_PLAIN}|{_SELECT}")


def is_computed(value: object) -> bool:
    """Whether a value is resolved by more than one reference to another key."""
    return isinstance(value, str) and "${" in value and not _REFERENCE.fullmatch(value)


def written_out(cfg: Config) -> Settings:
    """`cfg` as it is recorded: references as they stand, computed values in their place."""
    tree = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(tree, dict)
    _write_out(cfg, tree)
    return {str(key): value for key, value in tree.items()}


def _write_out(cfg: Config, tree: object) -> None:
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        value = tree[key]
        if is_computed(value):
            value = cfg[key]
            resolved = OmegaConf.is_config(value)
            tree[key] = OmegaConf.to_container(value, resolve=True) if resolved else value
        elif isinstance(value, (dict, list)):
            _write_out(cfg[key], value)


def read_yaml(path: Path) -> Config:
    """The configuration in a file, with its interpolations.

    Raises:
        OSError, YAMLError, OmegaConfBaseException, RecursionError: where it cannot be read.
        ValueError: where it is none that was recorded: too large, or with aliases, by which a short
            file could fill the memory.
    """
    text = read_text(path)
    events = yaml.parse(text, yaml.SafeLoader) if len(text) <= LARGEST else ()
    if not text or len(text) > LARGEST or any(isinstance(event, AliasEvent) for event in events):
        raise ValueError(f"{path}: no configuration that was recorded")
    return OmegaConf.create(text)


def load(path: Path) -> Config:
    """The configuration in a file of a run folder, of which nothing has to be computed.

    Raises:
        OSError, YAMLError, OmegaConfBaseException, RecursionError: where it cannot be read.
        ValueError: where a value would be computed.
    """
    cfg = read_yaml(path)
    for value in _leaves(OmegaConf.to_container(cfg, resolve=False)):
        if is_computed(value):
            raise ValueError(f"{path}: {value} is not computed")
    return cfg


def _leaves(tree: object) -> Iterator[object]:
    if not isinstance(tree, (dict, list)):
        yield tree
        return
    for value in tree.values() if isinstance(tree, dict) else tree:
        yield from _leaves(value)
