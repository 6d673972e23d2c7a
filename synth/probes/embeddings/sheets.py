"""Sheets of an embedding: neighbours side by side, and pictures at their places on a map."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from synth import data
from synth.data.sheet import GAP, GROUND, INK, shortened, sized

TILE = 128  # pixels of a picture beside its neighbours
FRAME = 6  # pixels of the frame around a neighbour of the same class
SAME = (22, 140, 70)
SIDE = 2000  # pixels of the map
SHARE = 0.3  # of the map that its pictures would cover, were they beside each other
LARGEST, SMALLEST = 128, 40  # pixels of a picture on the map
DOT = 5
NAMED = 24  # classes in a legend at most

Colour = tuple[int, int, int]


def colours(count: int) -> list[Colour]:
    """So many colours that are told apart as well as that number allows."""
    if count <= 20:
        table = colormaps["tab10" if count <= 10 else "tab20"].colors
        return [tuple(round(255 * part) for part in table[place]) for place in range(count)]
    shades = []
    for place in range(count):  # hues around the circle, in three shades beside each other
        light, full = ((0.42, 0.75), (0.55, 0.6), (0.66, 0.75))[place % 3]
        parts = colorsys.hls_to_rgb(place / count, light, full)
        shades.append(tuple(round(255 * part) for part in parts))
    return shades


class Row:
    """A query with its neighbours.

    Args:
        query: the picture and its label.
        spaces: for each space its neighbours: picture, label, whether it is of the same class.
    """

    def __init__(
        self,
        query: tuple[Tensor, str],
        spaces: Sequence[Sequence[tuple[Tensor, str, bool]]],
    ) -> None:
        self.query = query
        self.spaces = spaces


def neighbour_sheet(rows: Sequence[Row], headings: Sequence[str]) -> Image.Image:
    """A query a row: the picture, then its neighbours in each space; framed where of its class.

    Args:
        rows: the queries.
        headings: over the queries, and over each space.
    """
    cell = TILE + 2 * FRAME
    font, bold = ImageFont.load_default(13), ImageFont.load_default(19)
    line, head, between = 20, 40, 3 * GAP
    counts = [1, *(len(space) for space in rows[0].spaces)]
    starts = [GAP]
    for count in counts:
        starts.append(starts[-1] + count * (cell + GAP) + between)
    size = (starts[-1] - between, head + len(rows) * (cell + line + GAP) + GAP)
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    for start, stop, heading in zip(starts, starts[1:], headings, strict=False):
        width = stop - start - between
        draw.text((start, head // 2), shortened(heading, bold, width), INK, bold, anchor="lm")
    for start in starts[1:-1]:
        x = start - between // 2 - GAP // 2
        draw.line((x, GAP, x, size[1] - GAP), (210, 205, 195), 1)
    for number, row in enumerate(rows):
        y = head + number * (cell + line + GAP)
        groups = [[(*row.query, False)], *row.spaces]
        for start, group in zip(starts, groups, strict=False):
            for place, (image, label, same) in enumerate(group):
                x = start + place * (cell + GAP)
                tile = sized(data.to_image(image), TILE, TILE)
                tile = ImageOps.expand(tile, FRAME, SAME if same else GROUND)
                corner = (x + (cell - tile.width) // 2, y + (cell - tile.height) // 2)
                sheet.paste(tile, corner)
                text = shortened(label, font, cell)
                draw.text((x + cell // 2, y + cell), text, SAME if same else INK, font, "ma")
    return sheet


def map_sheet(
    points: Tensor,
    thumbnails: Tensor,
    groups: Tensor,
    names: Sequence[str],
    first: Tensor,
) -> tuple[Image.Image, int]:
    """Pictures at their places on a map, as many as fit without overlap; the others as dots.

    Args:
        points: [n, 2].
        thumbnails: uint8 [n, 3, h, w]; of no size for dots alone.
        groups: whose colour frames a picture and fills a dot, int64 [n]; -1 for grey.
        names: of the groups, for the legend.
        first: rows in the order in which they get their places, int64 [n].

    Returns:
        The sheet, and how many pictures are on it.
    """
    shades = [*colours(len(names)), (130, 130, 130)]  # the last is grey, index -1
    named = list(names) if len(names) <= NAMED else []
    legend = (len(named) + 3) // 4 * 40 + 2 * GAP if named else 0
    sheet = Image.new("RGB", (SIDE, SIDE + legend), GROUND)
    draw = ImageDraw.Draw(sheet)
    side = int(min(max((SHARE * SIDE * SIDE / len(points)) ** 0.5, SMALLEST), LARGEST))
    margin = side // 2 + GAP
    low, high = points.amin(0), points.amax(0)
    unit = (SIDE - 2 * margin) / float((high - low).max().clamp_min(1e-12))
    middle = (low + high) / 2
    places = ((points - middle) * torch.tensor([unit, -unit]) + SIDE / 2).round().int()
    centres = places.tolist()
    for row in first.tolist():
        x, y = centres[row]
        draw.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), shades[int(groups[row])])
    taken = np.zeros((SIDE, SIDE), dtype=bool)
    count = 0
    if thumbnails.shape[-1]:
        for row in first.tolist():
            x, y = (value - side // 2 for value in centres[row])
            area = taken[y : y + side, x : x + side]
            if area.any():
                continue
            area[:] = True
            frame = max(2, side // 20)
            pixels = thumbnails[row].permute(1, 2, 0).contiguous().numpy()
            inner = (side - 2 * frame, side - 2 * frame)
            tile = Image.fromarray(pixels).resize(inner, Image.Resampling.LANCZOS)
            sheet.paste(ImageOps.expand(tile, frame, shades[int(groups[row])]), (x, y))
            count += 1
    font = ImageFont.load_default(26)
    for number, name in enumerate(named):
        x = GAP + number % 4 * (SIDE // 4)
        y = SIDE + GAP + number // 4 * 40
        draw.rectangle((x, y + 4, x + 24, y + 28), shades[number])
        draw.text((x + 36, y + 2), shortened(name, font, SIDE // 4 - 60), INK, font)
    return sheet, count
