"""Type hints of parts: in a user's words, and what plain values and kinds of parts they take."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator

from beartype import BeartypeConf
from beartype.door import is_bearable

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
# hints that plain values of a YAML file can meet; a path, a device or an array is made from others
_PLAIN = re.compile(
    r"(int|float|bool|str|None|NoneType|Any|Union|Optional|Literal|Sequence|list|List|Mapping|dict"
    r"|Dict|typing|collections|abc|class|'\w*'|[\s\[\],.|<>'])+"
)
_UNIONS = types.UnionType, type(typing.Union[int, None])  # noqa: UP007
_TOWER = BeartypeConf(is_pep484_tower=True)  # a whole number is accepted for a float


def in_words(hint: str) -> str:
    """A type hint in words: ``int | None`` is "a whole number or null"."""
    hint = re.sub(r"<class '([\w.]*)'>", r"\1", hint)
    names = dict.fromkeys(re.sub(r"\w+\.(?=\w)", "", hint).split(" | "))
    kinds = [WORDS.get(name, name) for name in names]
    if "a number" in kinds and "a whole number" in kinds:  # a whole number is a number
        kinds.remove("a whole number")
    return " or ".join(kinds)


def hints_of(value: Callable[..., object]) -> dict[str, object]:
    """The type hints of a class's constructor, or of a function; those that can be read.

    A foreign class may have none, or name in them what is imported for a type checker only.
    """
    if inspect.isclass(value):
        value = value.__init__
    try:
        return typing.get_type_hints(value)
    except Exception:  # whatever the evaluation of a foreign hint raises
        return {}


def accepts(hint: object, value: object) -> bool:
    """Whether a hint takes a plain value; True where that cannot be judged."""
    if not _PLAIN.fullmatch(str(hint)):
        return True
    return is_bearable(value, hint, conf=_TOWER)  # type: ignore[arg-type]


def kinds_in(hint: object) -> Iterator[type]:
    """The classes of this package that a hint names: `Objective` of ``Mapping[str, Objective]``."""
    if inspect.isclass(hint) and hint.__module__.startswith("synth."):
        yield hint
    elif typing.get_origin(hint) is not Callable:
        for entry in typing.get_args(hint):
            yield from kinds_in(entry)


def is_part(hint: object) -> bool:
    """Whether a hint takes one object that has a ``_target_`` of its own, or None in its place."""
    options = typing.get_args(hint) if type(hint) in _UNIONS else (hint,)
    objects = [option for option in options if option is not types.NoneType]
    return len(objects) == 1 and objects == list(kinds_in(hint))
