"""Takes pictures and what became of them; gives the figure of each: original + small x difference = result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont

from synth import data
from synth.core import Images, Rows
from synth.core.network import Network
from synth.data.sheet import shortened, sized
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading

FOLDER = "figures"
SIDE = 256  # pixels; smaller pictures are enlarged by a whole number up to here, so that their pixels stay squares
LARGEST = 512  # larger ones are made smaller
NAME, SIGN = 16, 22  # sizes of type
MARGIN, LINE = 16, 22
INK, SOFT, PAPER = (29, 27, 24), (106, 101, 92), (255, 255, 255)


class Triptych(Metric):
    """For each of the first `most` items a figure of three pictures, each with what the network sees in it.

    With m the largest change of any pixel, they are the original x, the difference (x' - x) / m amplified about mid
    grey, and the result x', both as they are saved: x + m (x' - x) / m = x' (figure 1 of Goodfellow et al. 2015, with
    its .007). Items that are seen as wanted from the start are left out, for nothing was to be done. Adds `figures`
    and no finding; the network's looks are counted in no budget.
    """

    def __init__(self, most: int = 8) -> None:
        if most < 1:
            raise InputError(
                f"figures.triptych.most={most}: write 1 or more figures, or figures.triptych=null."
            )
        self.most = most

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if problem.encoding.originals(rows.select(slice(1))) is None:
            raise InputError(
                "figures.triptych: it compares with the picture that was changed, and here is none; write image=PATH, "
                "or figures.triptych=null."
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        record, network = outcome.record, outcome.problem.network
        numbers = [
            i for i, item in enumerate(outcome.items) if item["file"] and not item.get("already")
        ][: self.most]
        figures = []
        for number in numbers:
            item = outcome.items[number]
            before, after = record.read_back(item["original"]), record.read_back(item["file"])
            panels = torch.stack([before, data.amplified(after - before), after])
            words = _seen(network, panels.to(network.device))
            figure = drawn(panels, words, item["linf"])
            file = record.picture(
                number, data.from_image(figure), {"target": item["target"]}, FOLDER
            )
            (was, sure), _, (now, surer) = words
            told = f"{was} ({sure}) + {item['linf']:.4f} \u00d7 difference = {now} ({surer})"
            figures.append({"file": file, "caption": told})
        return {"figures": figures}


def drawn(panels: Images, words: Sequence[tuple[str, str]], change: float) -> Image.Image:
    """The figure of three `panels` [3, 3, h, w] with two `words` below each; `change` is written as a factor."""
    pictures = [sized(data.to_image(panel), SIDE, LARGEST) for panel in panels]
    width, height = pictures[0].size
    name, sign = ImageFont.load_default(NAME), ImageFont.load_default(SIGN)
    between = (f"+ {change:.4f} x", "=")
    gaps = [round(sign.getlength(text)) + 2 * MARGIN for text in between]
    size = (3 * width + sum(gaps) + 2 * MARGIN, height + 2 * LINE + 3 * MARGIN)
    figure = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(figure)
    left = MARGIN
    for place, (picture, said) in enumerate(zip(pictures, words, strict=True)):
        figure.paste(picture, (left, MARGIN))
        for line, text in enumerate(said):
            top = MARGIN + height + MARGIN // 2 + line * LINE
            pen.text(
                (left + width / 2, top),
                shortened(text, name, width),
                (INK, SOFT)[line],
                name,
                anchor="ma",
            )
        left += width
        if place < 2:
            pen.text(
                (left + gaps[place] / 2, MARGIN + height / 2),
                between[place],
                INK,
                sign,
                anchor="mm",
            )
            left += gaps[place]
    return figure


def _seen(network: Network, pictures: Images) -> list[tuple[str, str]]:
    """What the network sees in each picture, and how surely, in words."""
    sure, best = reading.logits(network, pictures).softmax(1).max(1)
    return [
        (network.classes.label(index), f"{100 * share:.1f} %")
        for index, share in zip(best.tolist(), sure.tolist(), strict=True)
    ]
