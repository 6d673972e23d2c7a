"""Escaping of untrusted text: JSON inside an HTML file, and URLs of files.

Class names and file names are other people's text: ``</script>`` in one must stay text, and
``100%#1?.png`` must still be found on disk.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from synth.record.result import Json

# Each of these can only occur inside a JSON string, where the escape means the same character.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def inline_json(data: Json) -> Markup:
    """`data` as JSON for a ``<script type="application/json">``; it reads back equal.

    Raises:
        ValueError: for NaN and infinities, which browsers do not parse; remove them first.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)


def link(target: Path, page: Path) -> str:
    """The URL by which `page` refers to the file `target`: relative and percent-quoted.

    Across Windows drives there is no relative path; there it is a ``file:`` URL.
    """
    # Links are resolved first: with a linked folder (macOS has /tmp as one), "../.." would lead
    # elsewhere.
    start = os.path.realpath(page.parent)
    goal = os.path.join(os.path.realpath(target.parent), target.name)
    try:
        relative = os.path.relpath(goal, start)
    except ValueError:
        return Path(goal).as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))
