"""Takes a run with several pictures; leaves them side by side under their names, the original first: one figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from synth import data
from synth.errors import InputError
from synth.measures.measure import Measure, Outcome

FOLDER = "strip"
GAP = 8  # pixels between pictures
GROUND, INK = (255, 255, 255), (40, 40, 40)


class Strip(Measure):
    """A figure of all pictures of a run, each under its target, in rows of at most `across`.

    The longer side of each has `longest` pixels: larger ones are scaled down; smaller ones are enlarged by a whole
    factor, pixels left square. Where all set out from one picture, that one comes first, where each had its own,
    each follows its own. With a single picture there is nothing to join, and no figure. `most` pictures are shown.
    """

    def __init__(self, across: int = 6, longest: int = 256, most: int = 48) -> None:
        if across < 1 or longest < 32 or most < 2:
            raise InputError(
                f"measures.strip: across={across}, longest={longest}, most={most}; write across >= 1, longest >= 32 "
                "and most >= 2."
            )
        self.across, self.longest, self.most = across, longest, most

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        items = [item for item in outcome.items if item.get("file")]
        if len(items) < 2:
            return {}
        shown = items[: self.most]
        parts: list[tuple[Image.Image, str]] = []
        one = outcome.problem.encoding.items is not None and len(outcome.problem.encoding.items) == 1
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
        image = data.to_image(outcome.record.read_back(name))
        longer = max(image.size)
        if longer > self.longest:
            size = (max(1, round(side * self.longest / longer)) for side in image.size)
            return image.resize(tuple(size), Image.Resampling.LANCZOS)
        times = self.longest // longer
        return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def joined(parts: Sequence[tuple[Image.Image, str]], across: int) -> Image.Image:
    """Pictures over their labels in rows of at most `across`, equally long as far as that goes, on white."""
    rows = math.ceil(len(parts) / across)
    columns = math.ceil(len(parts) / rows)
    wide, high = (max(image.size[axis] for image, _ in parts) for axis in (0, 1))
    font = ImageFont.load_default(max(10, wide // 14))
    line = font.getbbox("Ag")[3] + GAP
    size = (columns * (wide + GAP) + GAP, rows * (high + round(line) + GAP) + GAP)
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for place, (image, label) in enumerate(parts):
        left, top = GAP + place % columns * (wide + GAP), GAP + place // columns * (high + round(line) + GAP)
        sheet.paste(image, (left + (wide - image.width) // 2, top + (high - image.height) // 2))
        draw.text((left + wide // 2, top + high + GAP // 2), _cut(label, font, wide), INK, font, anchor="ma")
    return sheet


def _label(item: Mapping[str, Any]) -> str:
    """What the picture was to be, as far as anything was said; else its number."""
    words = [str(item[word]) for word in ("target", "niche") if item.get(word)]
    if item.get("facet") is not None:
        words.append(str(item["facet"]))
    return ", ".join(words) or str(item["file"]).rsplit("/", 1)[-1].removesuffix(".png")


def _cut(label: str, font: Any, width: int) -> str:
    """`label` in `width` pixels, its end replaced by an ellipsis where it is longer."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "…") > width:
        label = label[:-1]
    return label + "…"
