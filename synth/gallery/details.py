"""The record of an item as (name, value) lines for the enlarged view."""

from __future__ import annotations

from synth.gallery.folder import Item, Record
from synth.gallery.numerals import (
    NOTHING,
    anything,
    boolean,
    duration,
    number,
    percent,
    plain,
    words,
)
from synth.record.result import Json

# Fields of a record that the enlarged view has lines or pictures of its own for. All others follow
# under their own names.
SHOWN = frozenset(
    [
        "file",
        "original",
        "original_predicted",
        "original_confidence",
        "already",
        "difference",
        "amplified",
        "target",
        "target_index",
        "predicted_index",
        "confidence",
        "predicted",
        "success",
        "score",
        "seed",
        "steps",
        "forwards",
        "backwards",
        "passes",
        "seconds",
        "linf",
        "l2",
        "contender",
        "search",
        "encoding",
        "niche",
        "strip",
        "ancestors",
        "generations",
        "large",
        "transfer_success",
        "transfer_confidence",
        "natural_distance",
        "passes_to_success",
    ]
)


def passes_apart(record: Record) -> str:
    """Forward and backward passes as text."""
    return f"{plain(record.get('forwards'))} forward, {plain(record.get('backwards'))} backward"


def _original_prediction(item: Item) -> str:
    """The class predicted for the clean image, its probability, and whether it met the target."""
    predicted = words(item.record.get("original_predicted"))
    confidence = percent(item.record.get("original_confidence"))
    remark = "already meets the target, not counted" if item.already else ""
    parts = [part for part in (predicted, confidence, remark) if part not in ("", NOTHING)]
    return ", ".join(parts) if predicted else ""


def _transfer(record: Record) -> str:
    """Whether the picture meets the target in a second network too, and its confidence there."""
    success = boolean(record.get("transfer_success"))
    verdict = "" if success is None else "success" if success else "failed"
    confidence = percent(record.get("transfer_confidence"))
    return ", ".join(part for part in (verdict, confidence) if part not in ("", NOTHING))


def _passes(value: Json) -> str:
    return f"{plain(value)} passes" if number(value) is not None else ""


def details_of(item: Item) -> tuple[tuple[str, str], ...]:
    """The whole record as (name, value) lines; fields without a line of their own come last."""
    record = item.record
    index = record.get("target_index")
    effort = f"{plain(item.passes)}: {passes_apart(record)}" if item.passes is not None else ""
    lines = [
        ("Contender", item.contender),
        ("Target", item.target + (f" ({anything(index)})" if index is not None else "")),
        ("Niche", item.niche),
        ("Original predicted as", _original_prediction(item)),
        ("Predicted as", item.predicted),
        ("Confidence", percent(item.confidence)),
        ("Success", words(record.get("success"))),
        ("Transfer", _transfer(record)),
        ("Natural distance", plain(record.get("natural_distance"), 3)),
        ("Score", plain(item.score)),
        ("Search", item.search),
        ("Encoding", item.encoding),
        ("Steps", plain(record.get("steps"))),
        ("Network passes", effort),
        ("To success", _passes(record.get("passes_to_success"))),
        ("Generations", plain(record.get("generations"))),
        ("Time", duration(item.seconds)),
        ("Seed", words(record.get("seed"))),
        ("L∞ distance", plain(record.get("linf"))),
        ("L2 distance", plain(record.get("l2"))),
        *((name, words(value)) for name, value in record.items() if name not in SHOWN),
        ("File", words(record.get("file"))),
    ]
    return tuple(line for line in lines if line[1] not in ("", NOTHING))
