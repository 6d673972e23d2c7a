"""User errors: one line that says what was wrong, where, and what to write instead.

Imports nothing heavy: the command line checks input before torch is loaded.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

LARGEST_BITS = 63  # of a whole number; tensors take none that is larger


class InputError(Exception):
    """Something that the user gave cannot be used.

    Its message is one line that says what, where, and what to write instead. The command line
    prints it without a traceback and exits with code 2.

    Args:
        message: the line; what is not printable in it, as in a file's name, is written as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class BrokenModule(InputError):
    """Code that a configuration names failed while it was imported or called.

    Its ``__cause__`` is what it raised, whose traceback says where.
    """


def printable(text: str) -> str:
    """`text`, which may hold a file's name, on one line and without codes that a terminal obeys.

    Line ends, control characters, marks that turn the direction of writing, and bytes that are no
    UTF-8 are written as Python's escapes, ``\\x1b`` and ``\\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"  # a space
        else ascii(character)[1:-1]
        for character in text
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message; the name of its class where it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def check_numbers(where: str, signature: inspect.Signature, values: Mapping[str, object]) -> None:
    """Raises InputError where NaN, an infinity, or true or false stands for a number.

    Args:
        where: key of the part that takes the values, or the name of its class.
        signature: of its constructor.
        values: by the name of the parameter; lists and dictionaries are looked through.
    """
    for name, value in values.items():
        parameter = signature.parameters.get(name)
        hint = str(parameter.annotation) if parameter else ""
        is_number = re.search(r"\b(int|float)\b", hint) and not re.search(r"\bbool\b", hint)
        for word, leaf in _leaves(value, f"{where}.{name}".lstrip(".")):
            if isinstance(leaf, bool):
                if is_number:
                    raise InputError(f"{word}={str(leaf).lower()}: write a number.")
            elif isinstance(leaf, float) and not math.isfinite(leaf):
                raise InputError(f"{word}={leaf}: write a finite number.")
            elif isinstance(leaf, int) and leaf.bit_length() > LARGEST_BITS:
                raise InputError(
                    f"{word}: a whole number of {leaf.bit_length()} bits is too large."
                )


def _leaves(value: object, word: str) -> Iterator[tuple[str, object]]:
    """The values in lists and dictionaries, each with its key."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _leaves(entry, f"{word}.{key}")
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry, word)
    else:
        yield word, value


def whole_numbers(word: str, values: Sequence[int] | int, least: int) -> list[int]:
    """One or more whole numbers that the user wrote for `word`, as a list.

    Raises:
        InputError: there is none, one is below `least`, or something else among them.
    """
    numbers = [values] if isinstance(values, int) else [*values]
    if not numbers or not all(isinstance(each, int) and each >= least for each in numbers):
        raise InputError(f"{word}={numbers}: write one or more whole numbers from {least} on.")
    return numbers


def check_least(least: int, **values: int) -> None:
    """Raises InputError for the first of `values`, by their keys, that is below `least`."""
    for word, value in values.items():
        if value < least:
            raise InputError(f"{word}={value}: write {least} or more.")


def nearest(name: object, choices: Iterable[object], most: int = 3) -> str:
    """The sentence `` Did you mean a, b or c?``, or the empty string where nothing is close.

    Comparison ignores case and treats ``_``, ``-`` and spaces as equal, because spaces are awkward
    to type in shells.

    Args:
        name: what the user wrote.
        choices: what would have been valid.
        most: how many of them to name at most.
    """
    return did_you_mean(close_to(name, choices, most))


def did_you_mean(names: Iterable[str]) -> str:
    """The sentence `` Did you mean a, b or c?``; the empty string for no names."""
    *others, last = [*names] or [""]
    listed = f"{', '.join(others)} or {last}" if others else last
    return f" Did you mean {listed}?" if listed else ""


def close_to(name: object, choices: Iterable[object], most: int = 3) -> list[str]:
    """The choices that `nearest` names, the nearest first; arguments as there."""
    plain = {str(choice): _plain(str(choice)) for choice in choices}
    text = _plain(str(name))
    order = difflib.get_close_matches(text, list(dict.fromkeys(plain.values())), n=most, cutoff=0.6)
    matches = [choice for close in order for choice, value in plain.items() if value == close]
    if not matches and len(text) >= 3:
        matches = [choice for choice, value in plain.items() if text in value]
    return matches[:most]


def _plain(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ").strip()
