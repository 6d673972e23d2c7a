"""Cards: the items of runs as pictures with captions, and their records for the page's script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synth.gallery.criterion import criterion_of
from synth.gallery.details import details_of, passes_apart
from synth.gallery.folder import Item, Run
from synth.gallery.inline import link
from synth.gallery.lineage import Lineage, lineage_of
from synth.gallery.more import unit_command
from synth.gallery.numerals import NOTHING, anything, duration, number, percent, plain, words
from synth.gallery.pictures import Picture
from synth.record.result import Json

UNTITLED = "Untitled"  # an item without a target, such as a style transfer
SMALL = 128  # pixels a side; up to here a page enlarges the picture with sharp square pixels


@dataclass(frozen=True)
class PictureLink:
    """A picture as a page refers to it.

    Attributes:
        url: relative to the page; empty where `problem` says why.
        width: in pixels.
        height: in pixels.
        problem: why it cannot be shown.
    """

    url: str
    width: int
    height: int
    problem: str

    @property
    def small(self) -> bool:
        """Whether it is enlarged with sharp pixels."""
        return 0 < max(self.width, self.height) <= SMALL


@dataclass(frozen=True)
class Card:
    """One picture with its caption.

    Attributes:
        number: index among the cards of the page.
        plate: the number as a catalogue writes it, from 001.
        run: index of its run among those of the page.
        item: the entry of the result.
        picture: the result.
        original: URL of the clean image; empty where there is none.
        difference: URL and caption of the amplified difference; empty where there is none.
        large: URL and size of the result at a higher resolution; empty where there is none.
        target: the heading.
        niche: the cell of an archive, where it is not the heading.
        predicted: the predicted class, where it is not the target.
        confidence: as text; a score where there is no confidence.
        method: search, encoding and network.
        criterion: what counts as success, in a few words; empty where nothing does.
        effort: network passes, time, seed, and the network where an item names it.
        details: the whole record as (name, value) lines.
        curve: the monitored value over the run.
        lineage: the ancestors.
    """

    number: int
    plate: str
    run: int
    item: Item = field(repr=False)
    picture: PictureLink
    original: str
    difference: tuple[str, ...]
    large: tuple[str, ...]
    target: str
    niche: str
    predicted: str
    confidence: str
    method: str
    criterion: str
    effort: str
    details: tuple[tuple[str, str], ...] = field(repr=False)
    curve: Sequence[float] = ()
    lineage: Lineage | None = None

    @property
    def share(self) -> float | None:
        """The confidence in [0, 1], for the bar; None where it is no probability."""
        value = self.item.confidence
        return value if value is not None and 0 <= value <= 1 else None

    @property
    def passes(self) -> str:
        """Forward and backward passes as text."""
        return passes_apart(self.item.record)

    @property
    def alt(self) -> str:
        """The picture in words."""
        parts = ["Untitled picture" if self.target == UNTITLED else f"Picture for {self.target}"]
        if self.niche:
            parts.append(self.niche)
        if self.predicted:
            parts.append(f"predicted as {self.predicted}")
        return ", ".join(parts)

    @property
    def data(self) -> dict[str, Json]:
        """The card as plain JSON values, for the page's script."""
        item = self.item
        values: dict[str, Json] = {
            "title": self.target,
            "predicted": item.predicted,
            "search": item.search,
            "encoding": item.encoding,
            "contender": item.contender,
            "confidence": item.confidence,
            "passes": item.passes,
            "seconds": item.seconds,
            "success": item.success,
            "src": self.picture.url,
            "size": [self.picture.width, self.picture.height],
            "original": self.original,
            "difference": self.difference,
            "plate": self.plate,
            "niche": self.niche,
            "details": self.details,
            "run": self.run,
            "curve": self.curve,
        }
        if self.large:
            values["large"] = self.large
        if self.lineage:
            values["lineage"] = self.lineage.to_dict()
        return values


def cards_of(runs: Sequence[Run], page: Path, curves: Sequence[Sequence[float]] = ()) -> list[Card]:
    """All items of `runs` in order; `curves` has the monitored value of each item, where known."""
    entries = [(run, index, item) for index, run in enumerate(runs) for item in run.items]
    digits = max(3, len(str(len(entries))))
    return [
        _card(
            run,
            index,
            item,
            place,
            f"{place + 1:0{digits}d}",
            page,
            curves[place] if place < len(curves) else (),
        )
        for place, (run, index, item) in enumerate(entries)
    ]


def ratio_of(cards: Sequence[Card]) -> float:
    """Width by height of the plates: that of all pictures where they agree in [0.5, 2], else 1."""
    shapes = {
        (card.picture.width, card.picture.height) for card in cards if not card.picture.problem
    }
    ratios = {round(width / height, 3) for width, height in shapes if height}
    ratio = ratios.pop() if len(ratios) == 1 else 1.0
    return ratio if 0.5 <= ratio <= 2 else 1.0


def picture_link(picture: Picture | None, page: Path, absent: str = "no picture") -> PictureLink:
    """How `page` refers to `picture`; `absent` is the problem where there is none."""
    if picture is None:
        return PictureLink("", 0, 0, absent)
    if picture.problem:
        return PictureLink("", 0, 0, picture.problem)
    return PictureLink(link(picture.path, page), picture.width, picture.height, "")


def _card(
    run: Run,
    index: int,
    item: Item,
    place: int,
    plate: str,
    page: Path,
    curve: Sequence[float],
) -> Card:
    target = item.target or item.niche
    large = picture_link(item.large, page)
    return Card(
        number=place,
        plate=plate,
        run=index,
        item=item,
        picture=picture_link(item.picture, page, "empty" if item.empty else "no picture"),
        original=picture_link(item.original, page).url,
        difference=_difference(item, page),
        large=(large.url, f"{large.width:,} by {large.height:,} pixels") if large.url else (),
        target=target or UNTITLED,
        niche=item.niche if item.target else "",
        predicted=item.predicted if item.predicted != target else "",
        confidence=_confidence(item),
        method=" · ".join(part for part in (item.search, item.encoding, run.network) if part),
        criterion=criterion_of(run, item),
        effort=_effort(item),
        details=_details(run, item),
        curve=curve,
        lineage=lineage_of(item, page),
    )


def _details(run: Run, item: Item) -> tuple[tuple[str, str], ...]:
    """The record, and for a unit of the run's figures the command that shows more of it."""
    is_unit = any(item.target in figure.units for figure in run.figures)
    command = unit_command(run, item.target) if is_unit else ""
    return (*details_of(item), ("More", command)) if command else details_of(item)


def _difference(item: Item, page: Path) -> tuple[str, ...]:
    """URL and caption of the amplified difference; empty where there is none to show."""
    if item.difference is None or item.difference.problem:
        return ()
    factor = number(item.record.get("amplified"))
    caption = f"difference \u00d7 {plain(factor, 2)}" if factor is not None else "difference"
    return link(item.difference.path, page), caption


def _confidence(item: Item) -> str:
    if item.confidence is not None:
        return percent(item.confidence)
    return f"score {plain(item.score)}" if item.score is not None else NOTHING


def _effort(item: Item) -> str:
    """Network passes, time, seed and network; with no line break inside a part."""
    parts = [
        f"{plain(item.passes)} passes" if item.passes is not None else NOTHING,
        duration(item.seconds),
    ]
    seed = item.record.get("seed")
    if seed is not None:
        parts.append(f"seed {anything(seed)}")
    if network := words(item.record.get("network")):  # of several that a run searched
        parts.append(network)
    return " · ".join(part.replace(" ", "\u00a0") for part in parts if part != NOTHING)
