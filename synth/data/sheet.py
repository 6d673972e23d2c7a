"""Takes pictures and words; gives them at a size to look at, side by side on one sheet, each over its words."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

GAP = 8  # pixels between pictures
GROUND, INK = (255, 255, 255), (40, 40, 40)


def sized(picture: Image.Image, least: int, most: int) -> Image.Image:
    """`picture` with a longer side of at most `most` pixels: scaled down to that where it is larger.

    A small one is enlarged by a whole number, as far as it stays within `least`, so that its pixels stay squares.
    """
    longest = max(picture.size)
    if longest > most:
        size = (max(1, round(side * most / longest)) for side in picture.size)
        return picture.resize(tuple(size), Image.Resampling.LANCZOS)
    times = max(1, least // longest)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


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
        left, top = (
            GAP + place % columns * (wide + GAP),
            GAP + place // columns * (high + round(line) + GAP),
        )
        sheet.paste(image, (left + (wide - image.width) // 2, top + (high - image.height) // 2))
        draw.text(
            (left + wide // 2, top + high + GAP // 2),
            shortened(label, font, wide),
            INK,
            font,
            anchor="ma",
        )
    return sheet


def shortened(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """As much of `text` as fits `width` pixels, without its accents: Pillow's own type has letters of English alone."""
    bare = "".join(
        one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)
    )
    text = bare.encode("ascii", "replace").decode()
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..."
