"""Resolving a configuration; in a comparison, each contender with what all have in common.

A contender is resolved as if it ran alone: its own keys, and over them those of the comparison.
So what its recipe refers to (``${norms.linf}``, ``${content}``) is found in the recipe, and
``target=`` of the comparison reaches every contender.
"""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import OmegaConf

from synth.config.types import Config, Settings
from synth.errors import InputError

# keys of the comparison itself
OWN = (
    "_target_",
    "experiments",
    "shared",
    "transfer",
    "naturals",
    "folder",
    "fold",
    "log",
    "sweep",
)


def resolved(cfg: Config, written: Sequence[str] = ()) -> Settings:
    """The configuration with all interpolations replaced by what they refer to.

    Args:
        cfg: a configuration; one that is no comparison is resolved as it stands.
        written: the keys that the user wrote; those of a single contender
            (``experiments.NAME.KEY``) are not replaced.

    Raises:
        OmegaConfBaseException: for an interpolation of nothing, or a missing mandatory value.
    """
    tree = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(tree, dict)
    contenders = tree.get("experiments")
    if not isinstance(contenders, dict) or not isinstance(tree.get("shared"), dict):
        return _resolved(cfg)
    for name, contender in contenders.items():
        if isinstance(contender, dict) and "experiments" in contender:
            raise InputError(f"experiments.{name}: a comparison is no contender of another.")
    joint = _resolved(OmegaConf.create({**tree, "experiments": None}))
    return joint | {
        "experiments": {
            name: _resolved(OmegaConf.create(_joined(contender, joint, str(name), written)))
            if isinstance(contender, dict)
            else contender
            for name, contender in contenders.items()
        }
    }


def _resolved(cfg: Config) -> Settings:
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def _joined(contender: Settings, joint: Settings, name: str, written: Sequence[str]) -> Settings:
    """A contender's settings with those of the comparison in their place.

    A key of the comparison that is null leaves the contender's, but under ``shared``, where null
    is a value like any other. A contender's key ``own`` lists keys that stay its own.
    """
    common = {key: value for key, value in joint.items() if key not in OWN and value is not None}
    common |= joint["shared"]
    common = {key: value for key, value in common.items() if key not in contender.get("own", ())}
    paths = [key.rsplit("@", 1)[-1] for key in written]
    for key in list(common):
        path = f"experiments.{name}.{key}"
        if any(entry == path or entry.startswith(f"{path}.") for entry in paths):
            del common[key]
    network = common.get("network")
    if network and (contender.get("network") or {}).get("fit"):  # how a recipe's windows are read
        common["network"] = network | {"fit": True}
    return dict(contender) | common
