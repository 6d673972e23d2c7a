"""What the console scripts beside ``synth`` share: a parser of words, and a list of names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from synth.errors import InputError

MOST_NAMES = 10  # how many of what was left out are named in the line


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line that is safe to print: a shell's glob may give it any name."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help.")


def listed(word: str, names: Sequence[str]) -> str:
    """``, 2 skipped (a; b)``, or the empty string where there is none."""
    if not names:
        return ""
    more = f"; and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f", {len(names):,} {word} ({'; '.join(names[:MOST_NAMES])}{more})"
