"""User errors: one line that says what was wrong, where, and what to write instead.

Imports nothing heavy: the command line checks input before torch is loaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Something that the user gave cannot be used.

    Its message is one line that says what, where, and what to write instead. The command line
    prints it without a traceback and exits with code 2.

    Args:
        message: the line; what is not printable in it, as in a file's name, is written as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """`text`, which may hold a file's name, on one line and without codes that a terminal obeys.

    Line ends, control characters, marks that turn the direction of writing, and bytes that are no
    UTF-8 are written as Python's escapes, ``\\x1b`` and ``\\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def nearest(name: object, choices: Iterable[object], most: int = 3) -> str:
    """The sentence `` Did you mean a, b or c?``, or the empty string where nothing is close.

    Comparison ignores case and treats ``_``, ``-`` and spaces as equal, because spaces are awkward
    to type in shells.

    Args:
        name: what the user wrote.
        choices: what would have been valid.
        most: how many of them to name at most.
    """
    plain = {str(choice): _plain(str(choice)) for choice in choices}
    text = _plain(str(name))
    order = difflib.get_close_matches(text, list(dict.fromkeys(plain.values())), n=most, cutoff=0.6)
    matches = [choice for close in order for choice, value in plain.items() if value == close]
    if not matches and len(text) >= 3:
        matches = [choice for choice, value in plain.items() if text in value]
    matches = matches[:most]
    if not matches:
        return ""
    listed = " or ".join([", ".join(matches[:-1]), matches[-1]] if matches[1:] else matches)
    return f" Did you mean {listed}?"


def _plain(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ").strip()
