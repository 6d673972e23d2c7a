"""Python values as texts in the grammar of Hydra's command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from synth.errors import InputError


def literal(key: str, value: object) -> str:
    """A plain value in Hydra's grammar.

    Args:
        key: of the value, for error messages.
        value: None, a truth value, number, text, path, or a list of these.

    Raises:
        InputError: for any other value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, str | Path):
        # a text, and no reference to a key; backslashes before it stand for themselves
        return _quoted(re.sub(r"(\\*)\$\{", r"\1\1\\${", str(value)))
    if isinstance(value, Sequence | set | range):
        return f"[{','.join(literal(key, entry) for entry in value)}]"
    raise InputError(
        f"{key}: a {type(value).__name__}; write a number, a text, a list, a dictionary, a "
        "picture, a network or a part."
    )


def _quoted(text: str) -> str:
    """`text`, with quotes where Hydra would read anything else without them."""
    try:
        plain = OverridesParser.create().parse_override(f"key={text}").value() == text
    except (HydraException, RecursionError, ValueError):
        plain = False
    # a comma would make a sweep, and parentheses are functions
    if plain and text and not set(text) & set(",()[]{}$"):
        return text
    return QuotedString(text, Quote.single).with_quotes()
