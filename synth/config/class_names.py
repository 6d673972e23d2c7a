"""The classes of a network, from the files that name them, without importing torch."""

from __future__ import annotations

import ast
import csv
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from synth.config.composing import PACKAGE
from synth.config.types import Settings
from synth.core.classes import Classes
from synth.errors import InputError

BUNDLED = "synth.networks.bundled.bundled"
TORCHVISION = "synth.networks.torchvision.torchvision"
LONGEST_HEADER = 10_000_000  # bytes
# settings of a torchvision classifier under which its classes are ImageNet's
USUAL = ("_target_", "name", "weights", "device", "precision", "fit", "seed")


def classes_of(network: Settings) -> Classes | None:
    """The classes of a network; None where no file names them so simply.

    Args:
        network: its settings, as a recipe has them.
    """
    if network.get("_target_") == BUNDLED:
        return _in_header(network)
    if network.get("_target_") != TORCHVISION:
        return None
    others = [key for key, value in network.items() if key not in USUAL and value is not None]
    named = network.get("weights") in (None, "random")
    return _imagenet() if named and not others else None


def _in_header(network: Settings) -> Classes | None:
    """The classes in the header of a weights file of ``recipe=train_classifier``."""
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


@lru_cache(maxsize=1)
def _imagenet() -> Classes | None:
    """ImageNet's classes, read from torchvision's sources, because importing it imports torch."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    try:
        tree = ast.parse((Path(spec.origin).parent / "models/_meta.py").read_text("utf-8"))
        names = next(
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and any(getattr(target, "id", "") == "_IMAGENET_CATEGORIES" for target in node.targets)
        )
        with (PACKAGE / "networks/imagenet.tsv").open(encoding="utf-8") as file:
            synsets = [row["wnid"] for row in csv.DictReader(file, delimiter="\t")]
    except (OSError, ValueError, StopIteration, SyntaxError):  # of another version
        return None
    return Classes(names, synsets)
