"""Contact sheets: images at a size to look at, side by side, each over its label."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

GAP = 8  # pixels between pictures
GROUND = (255, 255, 255)
INK = (40, 40, 40)


def sized(picture: Image.Image, least: int, most: int) -> Image.Image:
    """`picture` at a size to look at.

    Args:
        picture: a Pillow image.
        least: a small image is enlarged by the largest whole factor that keeps its longer side
            within this many pixels, so that its pixels stay squares.
        most: a longer side above this many pixels is scaled down to it.
    """
    longest = max(picture.size)
    if longest > most:
        size = (max(1, round(side * most / longest)) for side in picture.size)
        return picture.resize(tuple(size), Image.Resampling.LANCZOS)
    times = max(1, least // longest)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def joined(parts: Sequence[tuple[Image.Image, str]], across: int) -> Image.Image:
    """A sheet of images over their labels, on white.

    Args:
        parts: images and labels.
        across: images a row at most; rows are as equally long as possible.
    """
    rows = math.ceil(len(parts) / across)
    columns = math.ceil(len(parts) / rows)
    width = max(image.width for image, _ in parts)
    height = max(image.height for image, _ in parts)
    font = ImageFont.load_default(max(10, width // 14))
    line = round(font.getbbox("Ag")[3] + GAP)
    size = (columns * (width + GAP) + GAP, rows * (height + line + GAP) + GAP)
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for place, (image, label) in enumerate(parts):
        x = GAP + place % columns * (width + GAP)
        y = GAP + place // columns * (height + line + GAP)
        sheet.paste(image, (x + (width - image.width) // 2, y + (height - image.height) // 2))
        corner = (x + width // 2, y + height + GAP // 2)
        draw.text(corner, shortened(label, font, width), INK, font, anchor="ma")
    return sheet


def plain(text: str, most: int = 60) -> str:
    """`text` as it is, as far as `most` characters, without what plots read as formulas."""
    text = text.replace("$", "\\$")
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def shortened(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """As much of `text` as fits `width` pixels, without accents: Pillow's own font is ASCII."""
    letters = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    text = bare.encode("ascii", "replace").decode()
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..."
