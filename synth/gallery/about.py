"""What a run says of its recipe, at the head of its page: text, formula, source, criterion."""

from __future__ import annotations

from dataclasses import dataclass

from synth.gallery.folder import Run
from synth.gallery.numerals import words


@dataclass(frozen=True)
class About:
    """Texts at the head of a page; empty where the run has none.

    Attributes:
        sentence: what the recipe does.
        text: more about it.
        formulas: lines of the formula.
        source: the papers.
        success: what counts as success.
    """

    sentence: str
    text: str
    formulas: tuple[str, ...]
    source: str
    success: str


def about_of(run: Run) -> About | None:
    """What the run says of its recipe; None where it says nothing, as earlier versions did not."""
    about = run.mapping("about")
    formula = about.get("formula")
    formulas = formula.splitlines() if isinstance(formula, str) else []
    sentence, text, source, success = (
        words(about.get(name)) for name in ("sentence", "text", "source", "success")
    )
    if not any((sentence, text, formulas, source, success)):
        return None
    return About(sentence, text, tuple(formulas), source, success)
