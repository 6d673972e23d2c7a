"""Takes a run with several pictures; leaves them side by side under their names, the original first: one figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from synth import data
from synth.data.sheet import joined, sized
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError

FOLDER = "strip"


class Strip(Metric):
    """A figure of all pictures of a run, each under its target, in rows of at most `across`.

    The longer side of each has `longest` pixels: larger ones are scaled down; smaller ones are enlarged by a whole
    factor, pixels left square. Where all set out from one picture, that one comes first, where each had its own,
    each follows its own. With a single picture there is nothing to join, and no figure. `most` pictures are shown.
    """

    def __init__(self, across: int = 6, longest: int = 256, most: int = 48) -> None:
        if across < 1 or longest < 32 or most < 2:
            raise InputError(
                f"figures.strip: across={across}, longest={longest}, most={most}; write across >= 1, longest >= 32 "
                "and most >= 2."
            )
        self.across, self.longest, self.most = across, longest, most

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        items = [item for item in outcome.items if item.get("file")]
        if len(items) < 2:
            return {}
        shown = items[: self.most]
        parts: list[tuple[Image.Image, str]] = []
        one = (
            outcome.problem.encoding.names is not None and len(outcome.problem.encoding.names) == 1
        )
        one = one or len({item.get("original") for item in items}) == 1
        for place, item in enumerate(shown):
            if item.get("original") and (place == 0 or not one):
                parts.append((self._scaled(outcome, item["original"]), "original"))
            parts.append((self._scaled(outcome, item["file"]), _label(item)))
        image = data.from_image(joined(parts, self.across))
        file = outcome.record.picture(0, image, {}, FOLDER)
        left = f"; {len(items) - len(shown)} more are left out" if len(items) > len(shown) else ""
        names = ", ".join(label for _, label in parts)
        return {"figures": [{"file": file, "caption": f"Side by side: {names}{left}."}]}

    def _scaled(self, outcome: Outcome, name: str) -> Image.Image:
        return sized(data.to_image(outcome.record.read_back(name)), self.longest, self.longest)


def _label(item: Mapping[str, Any]) -> str:
    """What the picture was to be, as far as anything was said; else its number."""
    words = [str(item[word]) for word in ("target", "niche") if item.get(word)]
    if item.get("facet") is not None:
        words.append(str(item["facet"]))
    return ", ".join(words) or str(item["file"]).rsplit("/", 1)[-1].removesuffix(".png")
