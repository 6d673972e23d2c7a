"""The configuration of an earlier run, read from its folder, in the names of this version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from synth.config.building import parameters_of
from synth.config.composing import Config
from synth.errors import InputError
from synth.record.renames import CLASSES, KEYS

ENCODINGS = "synth.encodings."


def encoding_of(folder: str, contender: str | None) -> Config:
    """The configuration of the encoding that the run in `folder` had.

    A run folder is data: nothing but an encoding is built from it.

    Args:
        folder: a run folder, of this version or an earlier one.
        contender: of a comparison, which experiment; else None.

    Raises:
        InputError: where the folder holds no synthesis.
    """
    try:
        recorded = OmegaConf.load(Path(folder) / ".hydra/config.yaml")
        experiment = recorded.experiments[contender] if contender else recorded
        settings = OmegaConf.to_container(experiment.encoding, resolve=True)
    except (
        OSError,
        AttributeError,
        KeyError,
        ValueError,
        YAMLError,
        OmegaConfBaseException,
    ) as error:
        raise InputError(
            f"run={folder}: no synthesis; name the folder of one (contender= in a comparison)."
        ) from error
    return OmegaConf.create(_current(settings, folder))


def _current(node: Any, folder: str) -> Any:
    """`node` with the classes and keys of this version; every class must be an encoding's."""
    if isinstance(node, list):
        return [_current(entry, folder) for entry in node]
    if not isinstance(node, dict):
        return node
    node = {key: _current(value, folder) for key, value in node.items()}
    if "_target_" not in node:
        return node
    target = CLASSES.get(str(node["_target_"]), str(node["_target_"]))
    if not target.startswith(ENCODINGS):
        raise InputError(f"run={folder}: its encoding names {target}, which is no encoding.")
    takes = parameters_of(target, "encoding") or []
    settings = {}
    for key, value in node.items():
        names = [] if key in takes else [name for name in KEYS.get(key, ()) if name in takes]
        settings[names[0] if names else key] = value
    return settings | {"_target_": target}
