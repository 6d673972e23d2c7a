"""Takes the items of runs; gives a card each: the words of its caption, its record for the page to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synth.gallery.folder import Item, Picture, Run
from synth.gallery.inline import link
from synth.gallery.lineage import lineage_of
from synth.gallery.numerals import (
    NOTHING,
    anything,
    duration,
    number,
    passes,
    percent,
    plain,
    words,
)

UNTITLED = "Untitled"  # what was made for no class, such as a style transfer
SMALL = (
    128  # pixels a side; up to here a page enlarges the picture, and its pixels stay sharp squares
)

# Fields that the enlarged view has lines of its own for; all others follow under their own names.
TOLD = frozenset(
    (
        *(
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
        ),
        *("steps", "forwards", "backwards", "passes", "seconds", "linf", "l2"),
        *("contender", "search", "encoding", "niche", "strip", "ancestors", "generations", "large"),
        *("transfer_success", "transfer_confidence", "natural_distance", "passes_to_success"),
    )
)


@dataclass(frozen=True)
class Shown:
    """A picture as a page refers to it; `url` is empty where `problem` says why."""

    url: str
    width: int
    height: int
    problem: str

    @property
    def small(self) -> bool:
        return 0 < max(self.width, self.height) <= SMALL


@dataclass(frozen=True)
class Card:
    """One picture with its caption; `data` is its part of the page's JSON."""

    number: int
    plate: str  # the number as a catalogue writes it
    picture: Shown
    target: str
    contender: str
    predicted: str  # empty where the network sees what it should
    confidence: str
    share: (
        float | None
    )  # the confidence as a part of one, for the bar; None where it is no probability
    success: bool | None
    method: str
    effort: str
    effort_apart: str
    niche: str  # the cell of an archive, where it is another than the target
    empty: bool  # a cell that nothing ever filled
    already: bool  # it was seen as wanted before anything was done, and is not counted
    data: dict[str, Any] = field(repr=False)

    @property
    def alt(self) -> str:
        seen = f", {self.niche}" if self.niche else ""
        seen += f", read as {self.predicted}" if self.predicted else ""
        made = "Untitled picture" if self.target == UNTITLED else f"Picture made for {self.target}"
        return made + seen


def cards_of(runs: Sequence[Run], page: Path, curves: Sequence[Sequence[float]] = ()) -> list[Card]:
    """All items of all `runs` in order; `curves` holds the course of each item's confidence, where known."""
    every = [(run, key, item) for key, run in enumerate(runs) for item in run.items]
    digits = max(3, len(str(len(every))))
    cards = []
    for place, (run, key, item) in enumerate(every):
        card = _card(run, item, place, f"{place + 1:0{digits}d}", page)
        card.data["run"] = key
        if place < len(curves):
            card.data["curve"] = list(curves[place])
        lineage = lineage_of(item, page)
        if lineage:
            card.data["lineage"] = lineage
        cards.append(card)
    return cards


def ratio_of(cards: Sequence[Card]) -> float:
    """Width by height of the plates: what all pictures share, if it is not extreme, else a square."""
    shapes = {
        (card.picture.width, card.picture.height) for card in cards if not card.picture.problem
    }
    ratios = {round(width / height, 3) for width, height in shapes if height}
    ratio = ratios.pop() if len(ratios) == 1 else 1.0
    return ratio if 0.5 <= ratio <= 2 else 1.0


def shown(picture: Picture | None, page: Path, nothing: str = "no picture") -> Shown:
    """How `page` refers to `picture`; where there is none, it says `nothing`."""
    if picture is None:
        return Shown("", 0, 0, nothing)
    if picture.problem:
        return Shown("", 0, 0, picture.problem)
    return Shown(link(picture.path, page), picture.width, picture.height, "")


def _card(run: Run, item: Item, number_: int, plate: str, page: Path) -> Card:
    record = item.record
    contender, search, encoding = _method(run, record)
    target, predicted, niche = (
        words(record.get(part)) for part in ("target", "predicted", "niche")
    )
    if not target:
        target, niche = niche, ""
    success = record.get("success") if isinstance(record.get("success"), bool) else None
    confidence, effort = number(record.get("confidence")), passes(record)
    picture = shown(item.picture, page, "empty" if item.empty else "no picture")
    original = shown(item.original, page) if item.original else None
    data = {
        "title": target or UNTITLED,
        "predicted": predicted,
        "search": search,
        "encoding": encoding,
        "contender": contender,
        "confidence": confidence,
        "passes": effort,
        "seconds": number(record.get("seconds")),
        "success": success,
        "src": picture.url,
        "size": [picture.width, picture.height],
        "original": original.url if original else "",
        "difference": _difference(item, page),
        "plate": plate,
        "niche": niche,
        "details": _details(record, contender, search, encoding, effort),
    }
    if item.large and not item.large.problem:
        data["large"] = [
            link(item.large.path, page),
            f"{item.large.width:,} by {item.large.height:,} pixels",
        ]
    return Card(
        number=number_,
        plate=plate,
        picture=picture,
        target=target or UNTITLED,
        contender=contender,
        predicted=predicted if predicted != target else "",
        confidence=percent(confidence) if confidence is not None else _score(record),
        share=confidence if confidence is not None and 0 <= confidence <= 1 else None,
        success=success,
        method=" · ".join(part for part in (search, encoding, run.network) if part),
        effort=_effort(record, effort),
        effort_apart=_apart(record),
        niche=niche,
        empty=item.empty,
        already=record.get("already") is True,
        data=data,
    )


def _difference(item: Item, page: Path) -> list[str]:
    """The picture of what was changed, and what it is called; empty where there is none to show."""
    if item.difference is None or item.difference.problem:
        return []
    times = number(item.record.get("amplified"))
    return [
        link(item.difference.path, page),
        f"difference \u00d7 {plain(times, 2)}" if times is not None else "difference",
    ]


def _before(record: dict[str, Any]) -> str:
    """What the network saw in the original, how surely, and whether that was what was wanted."""
    seen = words(record.get("original_predicted"))
    sure = percent(record.get("original_confidence"))
    told = [seen, sure, "as wanted, so not counted" if record.get("already") is True else ""]
    return ", ".join(part for part in told if part not in ("", NOTHING)) if seen else ""


def _method(run: Run, record: dict[str, Any]) -> tuple[str, str, str]:
    """Contender, search and encoding: the item's own word, else its contender's, else the run's."""
    contender = words(record.get("contender"))
    row = run.contenders.get(contender, {})
    search, encoding = (
        next(filter(None, (words(told.get(part)) for told in (record, row, run.result))), "")
        for part in ("search", "encoding")
    )
    return contender, search or contender, encoding


def _score(record: dict[str, Any]) -> str:
    score = number(record.get("score"))
    return f"score {plain(score)}" if score is not None else NOTHING


def _effort(record: dict[str, Any], effort: float | None) -> str:
    """What a picture took, and from which seed; no line breaks inside a part."""
    parts = [
        f"{plain(effort)} passes" if effort is not None else NOTHING,
        duration(record.get("seconds")),
    ]
    if record.get("seed") is not None:
        parts.append(f"seed {anything(record['seed'])}")
    return " · ".join(part.replace(" ", "\u00a0") for part in parts if part != NOTHING)


def _apart(record: dict[str, Any]) -> str:
    return f"{plain(record.get('forwards'))} forward, {plain(record.get('backwards'))} backward"


def _transfer(record: dict[str, Any]) -> str:
    """How another network takes the picture: whether it sees the target too, and how surely."""
    success, confidence = record.get("transfer_success"), percent(record.get("transfer_confidence"))
    seen = {True: "succeeds", False: "fails"}.get(success, "") if isinstance(success, bool) else ""
    return ", ".join(part for part in (seen, confidence) if part not in ("", NOTHING))


def _passes(value: Any) -> str:
    return f"{plain(value)} passes" if number(value) is not None else ""


def _details(
    record: dict[str, Any], contender: str, search: str, encoding: str, effort: float | None
) -> list[list[str]]:
    """The whole record as [name, value] lines, as a reader asks for them; unknown fields come last."""
    index = record.get("target_index")
    lines = [
        ["Contender", contender],
        [
            "Target",
            words(record.get("target")) + (f" ({anything(index)})" if index is not None else ""),
        ],
        ["Niche", words(record.get("niche"))],
        ["Was read as", _before(record)],
        ["Read as", words(record.get("predicted"))],
        ["Confidence", percent(record.get("confidence"))],
        ["Success", words(record.get("success"))],
        ["Transfer", _transfer(record)],
        ["Natural distance", plain(record.get("natural_distance"), 3)],
        ["Score", plain(record.get("score"))],
        ["Search", search],
        ["Encoding", encoding],
        ["Steps", plain(record.get("steps"))],
        ["Evaluations", f"{plain(effort)} passes: {_apart(record)}" if effort is not None else ""],
        ["To success", _passes(record.get("passes_to_success"))],
        ["Generations", plain(record.get("generations"))],
        ["Time", duration(record.get("seconds"))],
        ["Seed", words(record.get("seed"))],
        ["L∞ distance", plain(record.get("linf"))],
        ["L2 distance", plain(record.get("l2"))],
        *([name, words(value)] for name, value in record.items() if name not in TOLD),
        ["File", words(record.get("file"))],
    ]
    return [line for line in lines if line[1] not in ("", NOTHING)]
