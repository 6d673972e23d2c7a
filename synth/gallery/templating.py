"""Templates, style sheets and scripts of the pages."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from synth.errors import printable

TEMPLATES = Path(__file__).parent / "templates"


@cache  # a process makes many pages, and compiling the templates takes longer than filling them
def environment() -> Environment:
    """The Jinja environment; what it writes is escaped, and printable as in a terminal."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printable(value: object) -> object:
    """What the template writes: names, printable as in a terminal; markup of our own as it is."""
    return printable(value) if type(value) is str else value


def asset(name: str) -> Markup:
    """A style sheet or script of the templates, which goes into the page unescaped."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def script_hash(script: str) -> str:
    """The hash by which a page's policy lets its own script run, and no other."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
