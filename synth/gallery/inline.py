"""Takes untrusted names and data; gives URLs and JSON that are safe inside an HTML file.

Class names and file names are other people's text: ``</script>`` in one must stay text, and ``100%#1?.png``
must still be found on disk.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

# Each of these can only stand inside a JSON string, where the escape means the same character.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def inline_json(data: Any) -> Markup:
    """`data` as JSON that may stand in a ``<script type="application/json">``; it reads back equal.

    Raises ValueError for NaN and infinities, which browsers do not parse: clean them out first.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)


def link(target: Path, page: Path) -> str:
    """The URL by which `page` refers to the file `target`: relative and percent-quoted.

    Only across Windows drives, where nothing relative exists, it is a ``file:`` URL.
    """
    # Folders through links (macOS keeps /tmp in one) would otherwise give a "../.." that leads elsewhere.
    start = os.path.realpath(page.parent)
    goal = os.path.join(os.path.realpath(target.parent), target.name)
    try:
        relative = os.path.relpath(goal, start)
    except ValueError:
        return Path(goal).as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))
