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


def model_head(
    name: str,
    task: str,
    data_set: str,
    metrics: Mapping[str, float],
    licence: str = "unknown",
) -> str:
    """The head of the card of a model that was trained here.

    Args:
        name: of the model.
        task: as Hugging Face calls it, ``image-classification``.
        data_set: the pictures that it was measured on, in words.
        metrics: what was measured, by name.
        licence: as Hugging Face names it; who trained the model knows which.
    """
    results = {
        "task": {"type": task},
        "dataset": {"type": "imagefolder", "name": printable(data_set)},
        "metrics": [
            {
                "type": "accuracy" if "accuracy" in what else what.replace(" ", "-"),
                "name": what,
                "value": value,
            }
            for what, value in metrics.items()
        ],
    }
    return head(
        {
            "license": licence,
            "library_name": "synth",
            "pipeline_tag": task,
            "tags": ["synth", "pytorch", "safetensors"],
            "model-index": [{"name": printable(name), "results": [results]}],
        }
    )


def size_category(count: int) -> str:
    """A number of pictures as Hugging Face sorts data sets by it: ``1K<n<10K``."""
    return next((name for limit, name in SIZES if count < limit), "n>100M")


def code(text: object) -> str:
    """Untrusted text in Markdown: as code, in which there are no links and no HTML."""
    plain = printable(str(text)).replace("`", "'").replace("|", "\\|").strip()
    return f"`{plain}`" if plain else ""
