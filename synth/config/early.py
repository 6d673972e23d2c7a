"""What is refused before torch is imported, which takes seconds: numbers, and names of classes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from synth.config.composing import PACKAGE
from synth.config.types import Config, Settings
from synth.core.classes import Classes
from synth.errors import InputError, check_numbers

BUNDLED = "synth.networks.bundled.bundled"
LONGEST_HEADER = 10_000_000  # bytes


def refuse_early(cfg: Config, settings: Settings, written: Sequence[str]) -> None:
    """Refuses numbers that are not finite, and targets that a bundled network does not have.

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
    if re.search(r"\$\{(oc\.select:)?target\b", OmegaConf.to_yaml(cfg)):
        classes = _classes(network)
        if classes and isinstance(target, str | int | list):
            classes.indices(target, str(network.get("name")))


def _classes(network: Settings) -> Classes | None:
    """The classes in the header of a weights file; None where it cannot be read so simply."""
    if network.get("_target_") != BUNDLED:
        return None
    from synth.files import open_file  # imports Pillow

    default = PACKAGE / "networks/weights" / f"{network.get('name')}.safetensors"
    try:
        with open_file(Path(network.get("weights") or default), "network.weights") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, LONGEST_HEADER)))
        entries = json.loads(header["__metadata__"]["classes"])
        return Classes([entry["name"] for entry in entries], [entry["wnid"] for entry in entries])
    except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
