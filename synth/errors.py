"""Takes what a user typed and what would have been right; gives the one line that says so. Imports nothing heavy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Something the user gave cannot be used: one line that says what, where, and what to write instead.

    The command line prints it without a traceback and leaves with exit code 2.
    """


def nearest(name: object, choices: Iterable[object], most: int = 3) -> str:
    """The sentence `` Did you mean a, b or c?`` for the `choices` closest to `name`, or the empty string.

    Comparison ignores case and takes ``_``, ``-`` and spaces as the same, because shells make spaces awkward.
    """
    plain = {str(choice): _plain(str(choice)) for choice in choices}
    wanted = _plain(str(name))
    order = difflib.get_close_matches(
        wanted, list(dict.fromkeys(plain.values())), n=most, cutoff=0.6
    )
    found = [choice for close in order for choice, text in plain.items() if text == close]
    if not found and len(wanted) >= 3:
        found = [choice for choice, text in plain.items() if wanted in text]
    found = found[:most]
    if not found:
        return ""
    return (
        f" Did you mean {' or '.join([', '.join(found[:-1]), found[-1]] if found[1:] else found)}?"
    )


def _plain(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ").strip()
