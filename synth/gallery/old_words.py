"""Words that earlier releases wrote into run folders, in those of this release.

Old folders stay as they are on disk; only the pages use the present words, so that runs of several
releases can be filtered and compared on one page.
"""

from __future__ import annotations

PHRASES = {"not what is there": "untargeted"}
ENCODINGS = {"multifaceted": "clustermeans", "facets": "severalimages"}


def current_text(text: str) -> str:
    """The name of a target, or a caption that contains it, in the present words."""
    for old, new in PHRASES.items():
        text = text.replace(old, new)
    return text


def current_encoding(name: str) -> str:
    """The present name of an encoding."""
    return ENCODINGS.get(name, name)
