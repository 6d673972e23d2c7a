"""Commands on a page: that which repeats its run, and those that show more of a unit."""

from __future__ import annotations

import re
import shlex

from synth.gallery.folder import Run
from synth.record.renames import current_word

DIRECTION = "direction:"  # how units that are directions in a layer are called
FILE = "directions.safetensors"  # of the directions that a run has made
_KEPT = re.compile(r"(network(\.[\w.]+)?|images|directions)=")
_OBJECT = re.compile(r" [0-9a-f]{16}\b")  # of a Python program, for which no word stands


def words_of(run: Run) -> list[str]:
    """The words of the run's command behind its recipe, as this version writes them."""
    overrides = run.result.get("overrides")
    words = overrides if isinstance(overrides, list) else []
    return [
        current_word(word)
        for word in words
        if isinstance(word, str) and not word.startswith("recipe=")
    ]


def command_of(run: Run) -> str:
    """The command line that repeats a run, quoted for a shell; empty where it is not recorded."""
    if not run.text("recipe") or not isinstance(run.result.get("overrides"), list):
        return ""
    return shlex.join(["synth", f"recipe={run.text('recipe')}", *words_of(run)])


def unit_command(run: Run, unit: str) -> str:
    """The command, quoted for a shell.

    Args:
        run: that met the unit; the command reads the same network and pictures.
        unit: its layer and channel, ``conv3:17``.

    Returns:
        Empty where the words of the run do not say what it read.
    """
    words = words_of(run)
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
