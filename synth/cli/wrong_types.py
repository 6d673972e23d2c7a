"""The message about a value of a type that its part does not take: search.steps=many."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from synth.config.composing import key_of
from synth.config.hints import in_words
from synth.config.plugins import folders

# beartype's message, of a constructor and of a function
_MESSAGES = (
    r"(\w+)\.__init__\(\) parameter (\w+)=(.*?) violates type hint (.*?), as",
    r"(\w+)\(\) parameter (\w+)=(.*?) violates type hint (.*?), as",
)


def wrong_type(
    error: BaseException,
    chain: Sequence[BaseException],
    where: str,
    conf: Path,
    typed: Sequence[str],
) -> str | None:
    """The value, and what the part takes in its place.

    Args:
        error: beartype's exception.
        chain: all exceptions, outermost first.
        where: key of the part in the configuration.
        conf: the folder of the configuration.
        typed: the words of the command line.

    Returns:
        The line; None where the value did not come from the configuration.
    """
    matches = [re.search(pattern, str(error), re.DOTALL) for pattern in _MESSAGES]
    match = matches[0] or matches[1]
    if match is None:
        return None
    name, parameter, value, hint = match.groups()
    if not _called_by_hydra(error, chain, name):
        return None
    key = f"{where}.{parameter}".lstrip(".")
    is_object = " object at 0x" in value
    entry = next((word for word in typed if key_of(word).startswith(f"{key}.")), None)
    files = f"*/{entry.partition('=')[2] or '-'}.yaml" if entry else "-"
    option = next((path for folder in folders(conf) for path in folder.glob(files)), None)
    if entry and (option or is_object):  # an entry of a dictionary
        hint = re.sub(r".*Mapping\[str, (.*)\]$", r"\1", hint)
    takes = f"{name} takes {in_words(hint)} here."
    if entry and option:
        plus = "+" if entry.startswith("+") else ""
        return f"{entry}: {takes} Write {plus}{option.parent.name}@{entry.lstrip('+')}"
    if entry and is_object:
        return f"{entry}: {takes}"
    if value.strip("'\"") == "None" and not any(key_of(word) == key for word in typed):
        # the part reads a key of the recipe, which has none of it
        return f"{parameter}: {name} needs {in_words(hint)} here; write {parameter}=..."
    value = re.sub(r"<[\w.]*?(\w+) object at 0x[0-9a-f]+>?", r"\1", value)
    return f"{key}={value}: {takes}"


def _called_by_hydra(error: BaseException, chain: Sequence[BaseException], name: str) -> bool:
    """Whether the call that was refused is Hydra's building of a part from the configuration."""
    kind = "InstantiationException"
    building = next((str(cause) for cause in chain if type(cause).__name__ == kind), "")
    if f".{name}'" in building.partition("\n")[0]:
        return True
    if ".__init__() parameter" not in str(error):
        return False
    frames = traceback.walk_tb(error.__traceback__)
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in frames]
    callers = {module for module in modules[:-1] if module.startswith("synth.")}
    return bool(building) or callers <= {"synth.core.part"}  # which checks every call
