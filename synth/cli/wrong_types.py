"""The message about a value of a type that its part does not take: search.steps=many."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from synth.config.composing import key_of

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "None": "null",
    "NoneType": "null",
    "Sequence[int]": "a list of whole numbers",
    "Sequence[float]": "a list of numbers",
    "Sequence[str]": "a list of words",
}
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
    option = entry and next(conf.glob(f"*/{entry.partition('=')[2] or '-'}.yaml"), None)
    if entry and (option or is_object):  # an entry of a dictionary
        hint = re.sub(r".*Mapping\[str, (.*)\]$", r"\1", hint)
    takes = f"{name} takes {_in_words(hint)} here."
    if entry and option:
        plus = "+" if entry.startswith("+") else ""
        return f"{entry}: {takes} Write {plus}{option.parent.name}@{entry.lstrip('+')}"
    if entry and is_object:
        return f"{entry}: {takes}"
    if value.strip("'\"") == "None" and not any(key_of(word) == key for word in typed):
        # the part reads a key of the recipe, which has none of it
        return f"{parameter}: {name} needs {_in_words(hint)} here; write {parameter}=..."
    value = re.sub(r"<[\w.]*?(\w+) object at 0x[0-9a-f]+>?", r"\1", value)
    return f"{key}={value}: {takes}"


def _in_words(hint: str) -> str:
    """A type hint in words: ``int | None`` is "a whole number or null"."""
    hint = re.sub(r"<class '([\w.]*)'>", r"\1", hint)
    names = dict.fromkeys(re.sub(r"\w+\.(?=\w)", "", hint).split(" | "))
    kinds = [WORDS.get(name, name) for name in names]
    if "a number" in kinds and "a whole number" in kinds:  # a whole number is a number
        kinds.remove("a whole number")
    return " or ".join(kinds)


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
