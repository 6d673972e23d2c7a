"""Commands from Python: composed without a command line, with objects in place of names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf, open_dict

from synth.config import live
from synth.config.command import Command, command_of
from synth.config.composing import CONF
from synth.config.earlier import encoding_of
from synth.config.networks import offer_classifiers
from synth.config.plugins import folders, use_folders
from synth.config.shorthand import expanded
from synth.config.types import Config


def command_from(
    words: Sequence[str], objects: Mapping[str, object]
) -> tuple[Command, dict[str, object]]:
    """A command, and the objects by the keys that stand for them in its configuration.

    Args:
        words: overrides in the words of the command line.
        objects: by dotted key; see `live`.

    Raises:
        InputError: for a mistake in the words.
    """
    OmegaConf.register_new_resolver("synth.encoding_of", encoding_of, replace=True)
    use_folders(CONF, words)
    offer_classifiers(CONF, words)
    # the files of other folders than ours may change between two calls
    ours = folders(CONF) == [CONF]
    cfg = deepcopy((_remembered if ours else _composed)(tuple(words), tuple(objects)))
    hydra_cfg = cfg.hydra
    hydra_cfg.runtime.cwd = os.getcwd()  # of this call, where the composition is remembered
    with open_dict(cfg):
        del cfg["hydra"]
    by_key = live.place(cfg, objects)
    hydra_cfg.overrides.task += [f"{path}={live.named(value)}" for path, value in objects.items()]
    return command_of(cfg, hydra_cfg), by_key


@contextmanager
def own_hydra() -> Iterator[None]:
    """A block in which Hydra is ours; before and after it the caller may use Hydra for itself."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = before


def _composed(words: tuple[str, ...], objects: tuple[str, ...]) -> Config:
    full = expanded(words, objects=objects)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=full, return_hydra_config=True)


# beside what is remembered while composing (exchange.py), a call for a batch of attacks pays for
# a copy alone
_remembered = lru_cache(maxsize=64)(_composed)
