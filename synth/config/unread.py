"""Keys that the user wrote and that nothing reads: refused, because they would have no effect."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.config.definitions import parameters_of
from synth.config.identity import NOT_IDENTITY
from synth.config.types import Config, Settings
from synth.config.yaml_text import yaml_of
from synth.errors import InputError, nearest


def refuse_unread(
    cfg: Config, settings: Settings, written: Sequence[str], groups: Sequence[str]
) -> None:
    """Checks the keys beside the parts: each must be a parameter of the recipe or be referred to.

    Args:
        cfg: the configuration with its interpolations.
        settings: the same, resolved.
        written: the keys that the user wrote.
        groups: the groups whose parts the recipe chooses.

    Raises:
        InputError: naming a key that nothing reads.
    """
    target = str(settings.get("_target_", ""))
    takes = parameters_of(target) if target else None
    if takes is None:
        return
    text = yaml_of(cfg)
    for key in written:
        package = key.rpartition("@")[2]  # a part goes where it is added to, or where its kind does
        root = re.split("[./]", package)[0]
        if root in (*takes, *groups, *NOT_IDENTITY, "hydra") or package.startswith("_"):
            continue
        if re.search(r"\$\{(oc\.select:)?" + re.escape(root) + r"\b", text):
            continue
        choices = {name for name in (*takes, *settings) if name != root and name[0] != "_"}
        raise InputError(
            f"{root}: nothing in this recipe, with the parts it has now, reads it."
            f"{nearest(root, choices)}"
        )
