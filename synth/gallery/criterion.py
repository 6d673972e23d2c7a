"""What counts as success in a run, in a few words, so that it can stand beside every rate."""

from __future__ import annotations

import re

from synth.gallery.folder import Item, Run
from synth.gallery.numerals import words

UNKNOWN = "criterion not recorded"  # runs of earlier versions
FILE = " is predicted for the saved file"
SHORT = {
    "another class than the true one or the target class": "another class, or the target, on top",
    "another class than the true one": "another class on top",
    "the target class": "class on top",
}
_LEAST = re.compile(r" with a (probability|monitored score) of at least (\S+)$")


def criterion_of(run: Run, item: Item) -> str:
    """The criterion that an item of a run was held to: ``class on top at 0.99``.

    Empty for an item that has none, such as a picture that is only looked at.
    """
    if item.success is None and not item.already:
        return ""
    return own_criterion(run, item) or short(words(run.mapping("about").get("success"))) or UNKNOWN


def own_criterion(run: Run, item: Item) -> str:
    """That of the item's contender in a duel, which has one a contender; empty elsewhere."""
    rows = run.mapping("findings").get("duel")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and words(row.get("contender")) == item.contender:
            return words(row.get("success_is"))
    return ""


def short(sentence: str) -> str:
    """The sentence that a run records, in the fewest words; others stay as they are."""
    least = _LEAST.search(sentence)
    at = ""
    if least:
        sentence = sentence[: least.start()]
        at = f" at {'' if least[1] == 'probability' else 'a score of '}{least[2]}"
    subject = sentence.replace(" is predicted for the saved file", "").replace("  ", " ")
    for long, brief in SHORT.items():
        if sentence.endswith(FILE) and subject == long:
            return brief + at
    return sentence + at
