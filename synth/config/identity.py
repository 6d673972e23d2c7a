"""The identity of a run: the configuration without what may change when the run is resumed."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from synth.config.composing import Config

NOT_IDENTITY = ("device", "folder", "sweep", "memory")


def identity_of(cfg: Config, recipe: str) -> dict[str, Any]:
    """The configuration and the recipe's name; `NOT_IDENTITY` is null wherever it is passed on."""
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        cfg.update(dict.fromkeys(NOT_IDENTITY))
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()} | {"recipe": recipe}


def written_identity(cfg: Config, recipe: str) -> dict[str, Any]:
    """The identity that `cfg` will have when it is read back from its file."""
    return identity_of(OmegaConf.create(OmegaConf.to_yaml(cfg)), recipe)


def recorded_identity(folder: Path) -> dict[str, Any] | None:
    """The identity of the run that was begun in `folder`, from its .hydra; None where unknown."""
    try:
        chosen = OmegaConf.load(folder / ".hydra/hydra.yaml").hydra.runtime.choices
        return identity_of(OmegaConf.load(folder / ".hydra/config.yaml"), chosen.recipe)
    except (OSError, ValueError, AttributeError, YAMLError, OmegaConfBaseException):
        return None


def digest(identity: Mapping[str, Any]) -> str:
    """A hash of an identity, 16 hexadecimal digits."""
    from synth.record.record import dumps  # imports torch

    return hashlib.sha256(dumps(identity).encode()).hexdigest()[:16]
