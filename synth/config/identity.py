"""The identity of a run: the configuration without what may change when the run is resumed."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

from omegaconf import OmegaConf, open_dict

from synth.config.references import UNREADABLE, load, read_yaml, written_out
from synth.config.sharing import resolved
from synth.config.types import Config, Settings
from synth.record.json_text import dumps

NOT_IDENTITY = ("device", "fold", "folder", "log", "sweep", "memory")


def identity_of(cfg: Config, recipe: str) -> Settings:
    """The configuration and the recipe's name; `NOT_IDENTITY` is null wherever it is passed on."""
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        cfg.update(dict.fromkeys(NOT_IDENTITY))
        del cfg.fold, cfg.log  # which earlier versions did not have
    return resolved(cfg) | {"recipe": recipe}


def written_identity(cfg: Config, recipe: str) -> Settings:
    """The identity that `cfg` will have when it is read back from its file."""
    return identity_of(OmegaConf.create(OmegaConf.to_yaml(written_out(cfg))), recipe)


def recorded_identity(folder: Path) -> Settings | None:
    """The identity of the run that was begun in `folder`, from its .hydra; None where unknown."""
    try:
        chosen = OmegaConf.to_container(read_yaml(folder / ".hydra/hydra.yaml"), resolve=False)
        recipe = str(chosen["hydra"]["runtime"]["choices"]["recipe"])
        return identity_of(load(folder / ".hydra/config.yaml"), recipe)
    except UNREADABLE:
        return None


def digest(identity: Settings) -> str:
    """A hash of an identity, 16 hexadecimal digits."""
    return hashlib.sha256(dumps(identity).encode()).hexdigest()[:16]
