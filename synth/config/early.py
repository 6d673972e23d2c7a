"""What is refused before torch is imported, which takes seconds: numbers, and names of classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

from synth.config.class_names import classes_of
from synth.config.types import Config, Settings
from synth.config.yaml_text import yaml_of
from synth.errors import check_numbers


def refuse_early(cfg: Config, settings: Settings, written: Sequence[str]) -> None:
    """Refuses numbers that are not finite, and targets that a network does not have.

    The parts check them again, for those who build them otherwise.

    Args:
        cfg: the configuration with its interpolations.
        settings: the same, resolved.
        written: the keys that the user wrote.

    Raises:
        InputError: naming the key.
    """
    check_numbers("", inspect.Signature(), settings)
    target, network = settings.get("target"), settings.get("network")
    if "target" not in written or target in (None, "random") or not isinstance(network, dict):
        return
    if re.search(r"\$\{(oc\.select:)?target\b", yaml_of(cfg)):
        classes = classes_of(network)
        if classes and isinstance(target, str | int | list):
            classes.indices(target, str(network.get("name")))
