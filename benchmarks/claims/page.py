"""The page docs/lessons/claims.md, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.claims.claim import Claim, Measured, Quoted
from benchmarks.claims.topics import TOPICS, claims_of

PAGE = Path(__file__).parents[2] / "docs" / "lessons" / "claims.md"
HOLDS, FAILS = "holds", "does not hold"
IN_TABLE = 5  # figures of a claim

Entry = tuple[Claim | Quoted, bool]

INTRODUCTION = """\
# The lectures, tested

What the lectures say can be run. Here stands every claim that was: the lecture's words, the
command, when the claim counts as true, what came out with its interval of 95 %, and whether it
holds. {held} of {count} hold. When one counts as true was written before it was measured, but where
the figure is quoted from measured.md. One that does not hold is no mistake of the lecturer as a
rule: it was said of other networks, of larger pictures, or as a rule of thumb, and the line
"measured" says how far off it is here.

Commands stood here word for word when they were run, and all of them run again by
`python -m benchmarks.claims`. The network is mini AlexNet (64 x 64, 100 classes) where none is
named; `network=squeezenet1_1` is torchvision's, its weights rounded to float16. Of the folders
`tiny_imagenet/val` has 2,500 validation pictures of 100 classes, `imagenet_samples` one picture for
each of 500 classes of ImageNet, `camvid` 180 street scenes with label maps, `styles` paintings, and
`ten_classes` ten classes of Tiny ImageNet with 100 pictures each to train on and 25 each to
validate. "Seeds 0, 1, 2" is the command three times, with `seed=0`, `seed=1` and `seed=2`. An
interval is Wilson's for a share and the bootstrap's for a mean or a median, over all pictures,
classes or units and all seeds; where it is missing, nothing varies. "More than" and "below" are met
where the whole interval meets them, "at least" and "at most" by the figure itself.
"""


def render(results: Mapping[str, Measured]) -> str:
    """The page; claims without a result are left out, since only what was run stands there."""
    topics = {topic: _entries(claims_of(topic), results) for topic in TOPICS}
    topics = {topic: entries for topic, entries in topics.items() if entries}
    every = [entry for entries in topics.values() for entry in entries]
    held = sum(holds for _, holds in every)
    parts = [INTRODUCTION.format(held=held, count=len(every))]
    for topic, entries in topics.items():
        rows = "".join(f"{_row(*entry, results)}\n" for entry in entries)
        parts.append(f"**{topic}**\n\n| claim | measured | |\n|---|---|---|\n{rows}")
    for topic, entries in topics.items():
        parts.append(f"## {topic}\n")
        parts += [_block(claim, holds, results) for claim, holds in entries]
    return "\n".join(parts)


def _entries(claims: Sequence[Claim | Quoted], results: Mapping[str, Measured]) -> list[Entry]:
    entries: list[Entry] = []
    for claim in claims:
        if isinstance(claim, Quoted):
            entries.append((claim, claim.holds))
        elif claim.name in results and results[claim.name].is_of(claim):
            entries.append((claim, results[claim.name].outcome.holds))
    return entries


def _row(claim: Claim | Quoted, holds: bool, results: Mapping[str, Measured]) -> str:
    if isinstance(claim, Quoted):
        numbers = claim.text
    else:
        figures = results[claim.name].outcome.figures[:IN_TABLE]
        numbers = "; ".join(figure.text(interval=False) for figure in figures)
    return f"| [{claim.title}](#{_anchor(claim.title)}) | {numbers} | {_verdict(holds)} |"


def _verdict(holds: bool) -> str:
    return HOLDS if holds else f"**{FAILS}**"


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _block(claim: Claim | Quoted, holds: bool, results: Mapping[str, Measured]) -> str:
    lines = [f"### {claim.title}\n", f"> {claim.words}\n>\n> {claim.lecture}\n", "```"]
    lines += [*claim.commands, "```\n", f"- when it holds: {claim.criterion}"]
    if isinstance(claim, Quoted):
        lines.append(f"- measured, in [measured.md](../measured.md): {claim.row}: **{claim.text}**")
    else:
        measured = results[claim.name]
        seeds = ", ".join(map(str, measured.seeds))
        over = f" (seeds {seeds})" if seeds else ""
        figures = "; ".join(figure.text() for figure in measured.outcome.figures)
        lines.append(f"- measured{over}: {figures}")
    if claim.note:
        lines.append(f"- {claim.note}")
    lines.append(f"- it **{HOLDS if holds else FAILS}**\n")
    return "\n".join(lines)
