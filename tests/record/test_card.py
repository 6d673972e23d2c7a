"""Heads of cards: YAML that reads back, whatever is in it; and those of the models in the box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import synth.networks
from synth.record.card import code, head, model_head, size_category

BOX = Path(synth.networks.__file__).parent / "weights"


def read(card: str) -> Any:
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))


def test_text_in_a_head_reads_back_as_it_was() -> None:
    fields = {
        "pretty_name": "a: b\n---\n!!python/object:os.system",
        "names": {"0": "yes", "1": "1e3", "2": "\U0001f600 <b>", "3": ""},
        "splits": [{"name": "train", "num_examples": 3}],
    }
    assert read(head(fields) + "\n---\n") == fields


def test_text_in_markdown_is_code() -> None:
    assert code("a `b` | <i>\n[x](y)") == "`a 'b' \\| <i>\\n[x](y)`"
    assert code("") == ""
    assert [size_category(n) for n in (1, 1000, 10**6, 10**9)] == [
        "n<1K",
        "1K<n<10K",
        "1M<n<10M",
        "n>100M",
    ]


@pytest.mark.parametrize("path", sorted(BOX.glob("*.md")), ids=lambda path: path.stem)
def test_the_cards_in_the_box_have_the_head_of_a_training(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    fields = read(text)
    (model,) = fields["model-index"]
    assert model["name"] == path.stem
    (results,) = model["results"]
    metrics = {entry["name"]: entry["value"] for entry in results["metrics"]}
    data = results["dataset"]["name"]
    written = model_head(path.stem, fields["pipeline_tag"], data, metrics, "mit")
    assert text.startswith(f"{written}\n# {path.stem}\n")
    body = text.removeprefix(written)
    for value in metrics.values():
        assert f"{value:.4f}" in body or f"{value:.2%}" in body
