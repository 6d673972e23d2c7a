"""Translation of words that earlier releases wrote into run folders to the present ones.

Old folders stay as they are on disk; only the pages use the present words, so that runs of several
releases can be filtered and compared on one page.
"""

from __future__ import annotations

import re

PHRASES = {"not what is there": "untargeted"}
ENCODINGS = {"multifaceted": "clustermeans", "facets": "severalimages"}
FIGURES = ("originals", "strip", "triptych", "walk")  # the rest of the old `measures` are metrics

_KEYS = (
    (re.compile(r"^([+~]*)measure@measures\.(\w+)"), r"\1{kind}@{kind}s.\2"),
    (re.compile(r"^([+~]*)measures\.(\w+)"), r"\1{kind}s.\2"),
    (re.compile(r"^([+~]*objective@|[+~]*)watch(?=$|\.)"), r"\1monitor"),
    (re.compile(r"^([+~]*(?:objective|monitor)(?:\.\w+)*)\.measure$"), r"\1.score"),
    (re.compile(r"^([+~]*encoding)\.facets$"), r"\1.clusters"),
    (re.compile(r"^([+~]*encoding)\.rounded$"), r"\1.eight_bit"),
)
_VALUES = {
    "encoding": {"multifaceted": "cluster_means", "facets": "several_images"},
}


def current_text(text: str) -> str:
    """The name of a target, or a caption that contains it, in the present words."""
    for old, new in PHRASES.items():
        text = text.replace(old, new)
    return text


def current_encoding(name: str) -> str:
    """The present name of an encoding."""
    return ENCODINGS.get(name, name)


def current_override(override: str) -> str:
    """An override of the command line, ``key=value``, in the present words."""
    key, equals, value = override.partition("=")
    for pattern, replacement in _KEYS:
        match = pattern.match(key)
        if match:
            kind = "figure" if match.group(match.lastindex or 1) in FIGURES else "metric"
            key = match.expand(replacement.format(kind=kind)) + key[match.end() :]
    return key + equals + _VALUES.get(key.lstrip("+~"), {}).get(value, value)
