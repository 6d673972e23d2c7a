"""The figure of an adversarial example: clean image + small x difference = adversarial image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from synth import data
from synth.core import Images, Rows
from synth.core.network import Network
from synth.core.prediction import NO_CLASS, predictions
from synth.data.sheet import shortened, sized
from synth.engine.fitness import ImageProblem
from synth.engine.metric import FigureMaker, Outcome
from synth.errors import InputError
from synth.networks import reading
from synth.record.result import Figure

FOLDER = "figures"
# pixels: smaller images are enlarged by a whole number up to SIDE, so that pixels stay squares;
# images larger than LARGEST are scaled down
SIDE, LARGEST = 256, 512
LABEL_SIZE, SIGN_SIZE = 16, 22  # of type
MARGIN, LINE = 16, 22
INK, SOFT, PAPER = (29, 27, 24), (106, 101, 92), (255, 255, 255)


class Triptych(FigureMaker):
    """For each of the first items a figure of three pictures, with the prediction for each.

    With m the largest change of any pixel, they are the clean image x, the difference
    (x' - x) / m, amplified about mid grey, and the adversarial image x', both as they are saved:
    x + m (x' - x) / m = x' (figure 1 of Goodfellow et al. 2015). Items whose clean image meets the
    target already are left out. No pass is counted in a budget.

    Args:
        most: how many items get a figure, 1 or more.

    Raises:
        InputError: where `most` is below 1.
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
                "figures.triptych: it compares with the picture that was changed, and here is "
                "none; write image=PATH, or figures.triptych=null."
            )

    def __call__(self, outcome: Outcome) -> Sequence[Figure]:
        record, network = outcome.record, outcome.problem.network
        numbers = [i for i, item in enumerate(outcome.items) if item.file and not item.already]
        figures = []
        for number in numbers[: self.most]:
            item = outcome.items[number]
            clean, adversarial = (
                record.read_back(str(item.original)),
                record.read_back(str(item.file)),
            )
            panels = torch.stack([clean, data.amplified(adversarial - clean), adversarial])
            labels = _labels(network, panels.to(network.device))
            change = item.linf or 0.0
            figure = draw(panels, labels, change)
            file = record.picture(number, data.from_image(figure), {"target": item.target}, FOLDER)
            (first, first_confidence), _, (last, last_confidence) = labels
            caption = (
                f"{first} ({first_confidence}) + {change:.4f} \u00d7 difference = "
                f"{last} ({last_confidence})"
            )
            figures.append(Figure(file, caption))
        return figures


def draw(panels: Images, labels: Sequence[tuple[str, str]], change: float) -> Image.Image:
    """The figure of three panels.

    Args:
        panels: [3, 3, h, w], RGB in [0, 1].
        labels: class and confidence under each.
        change: largest change of a pixel, the factor of the middle panel.
    """
    pictures = [sized(data.to_image(panel), SIDE, LARGEST) for panel in panels]
    width, height = pictures[0].size
    label_font = ImageFont.load_default(LABEL_SIZE)
    sign_font = ImageFont.load_default(SIGN_SIZE)
    signs = (f"+ {change:.4f} x", "=")
    gaps = [round(sign_font.getlength(text)) + 2 * MARGIN for text in signs]
    size = (3 * width + sum(gaps) + 2 * MARGIN, height + 2 * LINE + 3 * MARGIN)
    figure = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(figure)
    left = MARGIN
    for place, (picture, lines) in enumerate(zip(pictures, labels, strict=True)):
        figure.paste(picture, (left, MARGIN))
        for line, text in enumerate(lines):
            top = MARGIN + height + MARGIN // 2 + line * LINE
            fitted = shortened(text, label_font, width)
            pen.text((left + width / 2, top), fitted, (INK, SOFT)[line], label_font, anchor="ma")
        left += width
        if place < len(signs):
            centre = (left + gaps[place] / 2, MARGIN + height / 2)
            pen.text(centre, signs[place], INK, sign_font, anchor="mm")
            left += gaps[place]
    return figure


def _labels(network: Network, images: Images) -> list[tuple[str, str]]:
    """Predicted class and confidence of each image, in words."""
    logits = reading.logits(network, images)
    confidence = logits.softmax(1).amax(1)
    return [
        ("no class", "")
        if index == NO_CLASS
        else (network.classes.label(index), f"{100 * share:.1f} %")
        for index, share in zip(predictions(logits).tolist(), confidence.tolist(), strict=True)
    ]
