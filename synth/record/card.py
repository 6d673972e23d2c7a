"""Cards of data sets and models: the YAML head that Hugging Face reads, and text in Markdown.

https://huggingface.co/docs/hub/datasets-cards, https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from synth.errors import printable
from synth.record.result import Json

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)


class _Dumper(yaml.SafeDumper):
    """YAML in which lists are set in from what they belong to, and nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def head(fields: Mapping[str, Json]) -> str:
    """The YAML between two lines ``---`` at the top of a card; text in it is safe."""
    text = yaml.dump(dict(fields), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n"


def size_category(count: int) -> str:
    """A number of pictures as Hugging Face sorts data sets by it: ``1K<n<10K``."""
    return next((name for limit, name in SIZES if count < limit), "n>100M")


def code(text: object) -> str:
    """Untrusted text in Markdown: as code, in which there are no links and no HTML."""
    plain = printable(str(text)).replace("`", "'").replace("|", "\\|").strip()
    return f"`{plain}`" if plain else ""
