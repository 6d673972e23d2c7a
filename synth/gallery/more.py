"""The command that shows more of a unit on a page: ``synth unit unit=conv3:17 images=...``."""

from __future__ import annotations

import re
import shlex

from synth.gallery.folder import Run
from synth.record.renames import current_word

DIRECTION = "direction:"  # how units that are directions in a layer are called
FILE = "directions.safetensors"  # of the directions that a run has made
_KEPT = re.compile(r"(network(\.[\w.]+)?|images|directions)=")
_OBJECT = re.compile(r" [0-9a-f]{16}\b")  # of a Python program, for which no word stands


def unit_command(run: Run, unit: str) -> str:
    """The command, quoted for a shell.

    Args:
        run: that met the unit; the command reads the same network and pictures.
        unit: its layer and channel, ``conv3:17``.

    Returns:
        Empty where the words of the run do not say what it read.
    """
    overrides = run.result.get("overrides")
    words = (
        [word for word in overrides if isinstance(word, str)] if isinstance(overrides, list) else []
    )
    words = list(map(current_word, words))
    context = [word for word in words if _KEPT.match(word)]
    if unit.startswith(DIRECTION):
        layer = next((word for word in words if word.startswith("layer=")), "")
        layer = layer.removeprefix("layer=") or str(run.mapping("findings").get("layer", ""))
        unit = f"{layer}:{unit.removeprefix(DIRECTION)}"
        if (run.folder / FILE).is_file():
            context.append(f"directions={run.folder / FILE}")
    named = any(word.startswith("images=") for word in context)
    if not named or unit.startswith(":") or any(map(_OBJECT.search, context)):
        return ""
    return shlex.join(["synth", "unit", f"unit={unit}", *context])
