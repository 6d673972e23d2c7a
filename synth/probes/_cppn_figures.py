"""Figures of a CPPN: its graph with the image at every node, and film strips of swept weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from synth import data
from synth.core import Images, graph
from synth.data.sheet import GROUND, INK, shortened, sized
from synth.encodings._points import INPUTS
from synth.encodings.cppn import OUTPUTS
from synth.encodings.cppn_nodes import FUNCTION_NAMES, levels, node_images, used_nodes
from synth.probes.attributions.colours import diverging

TILE = 64  # pixels of a node
ROW, COLUMN = TILE + 22, TILE + 76  # from node to node
PICTURE = 192  # pixels of the picture beside the colours
GAP, TITLE = 24, 40
FRAME, NAMES = 80, 210  # pixels of a frame of a strip, and of the name of its weight
POSITIVE, NEGATIVE = (178, 24, 43), (33, 102, 172)  # the ends of the colours of nodes
SIDES = ("x", "y", "distance", "constant")
COLOURS = ("red", "green", "blue")


def node_names(graphs: Tensor) -> list[str]:
    """A name of every node of a graph: ``x``, ``sine 5``, ``red``."""
    functions = graphs[:, graph.FUNCTION].long().tolist()
    hidden = range(INPUTS, len(graphs) - OUTPUTS)
    middle = [f"{FUNCTION_NAMES[functions[node]]} {node - INPUTS}" for node in hidden]
    return [*SIDES, *middle, *COLOURS]


def drawn_graph(graphs: Tensor, image: Tensor, title: str) -> Image.Image:
    """A graph from its inputs, left, to its colours and its image, right.

    Args:
        graphs: one graph, [N, 2 + N].
        image: what it paints, [3, h, w].
        title: a line above it.
    """
    places, (width, height) = _places(graphs)
    sheet = Image.new("RGB", (width + GAP + PICTURE + GAP, TITLE + max(height, PICTURE)), GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 6), title, INK, ImageFont.load_default(20))
    values = node_images(graphs, (image.shape[1], image.shape[2]))
    # what a connection adds to a node at most, as a share of the largest that leads there
    parts = graphs[:, graph.WEIGHTS :] * values.abs().amax((1, 2))
    parts = parts / parts.abs().amax(1, keepdim=True).clamp(min=1e-12)
    links = [
        (float(parts[end, start]), start, end)
        for end, start in graphs[:, graph.WEIGHTS :].nonzero().tolist()
        if end in places and start in places
    ]
    for part, start, end in sorted(links, key=lambda link: abs(link[0])):
        share = abs(part)
        tone = POSITIVE if part > 0 else NEGATIVE
        # towards white, where a line is weak
        colour = tuple(round(255 + (value - 255) * (0.12 + 0.78 * share)) for value in tone)
        first, last = places[start], places[end]
        line = (first[0] + TILE, first[1] + TILE // 2, last[0], last[1] + TILE // 2)
        draw.line(line, colour, 1 + round(2 * share))
    names = node_names(graphs)
    font = ImageFont.load_default(13)
    for node, (x, y) in places.items():
        tile = data.to_image(diverging(values[node], float(values[node].abs().max())))
        sheet.paste(tile.resize((TILE, TILE), Image.Resampling.BILINEAR), (x, y))
        draw.rectangle((x - 1, y - 1, x + TILE, y + TILE), outline=INK)
        draw.text((x + TILE // 2, y + TILE + 2), names[node], INK, font, anchor="ma")
    picture = sized(data.to_image(image), PICTURE, PICTURE)
    sheet.paste(picture, (width + GAP, TITLE + (max(height, PICTURE) - picture.height) // 2))
    return sheet


def _places(graphs: Tensor) -> tuple[dict[int, tuple[int, int]], tuple[int, int]]:
    """The corner of each used node, a column a level, and the size of all columns together."""
    used, level = used_nodes(graphs).tolist(), levels(graphs)
    columns: dict[int, list[int]] = defaultdict(list)
    for node in range(len(graphs)):
        if used[node]:
            columns[level[node]].append(node)
    links = graphs[:, graph.WEIGHTS :] != 0
    rows = max(len(nodes) for nodes in columns.values())
    places: dict[int, tuple[int, int]] = {}
    for column, at in enumerate(sorted(columns)):
        nodes = columns[at]
        if 0 < column < len(columns) - 1:  # beside the nodes that they read, so that fewer cross
            nodes = sorted(nodes, key=lambda node: _mean_height(links[node], places))
        top = TITLE + (rows - len(nodes)) * ROW // 2
        for row, node in enumerate(nodes):
            places[node] = (GAP + column * COLUMN, top + row * ROW)
    return places, (GAP + (len(columns) - 1) * COLUMN + TILE, rows * ROW)


def _mean_height(links: Tensor, places: dict[int, tuple[int, int]]) -> float:
    heights = [places[node][1] for node in links.nonzero()[:, 0].tolist() if node in places]
    return sum(heights) / max(1, len(heights))


def strips(frames: Sequence[Images], names: Sequence[str], factors: Sequence[float]) -> Image.Image:
    """A row of frames for each weight, under the factors that it was multiplied by.

    Args:
        frames: of each weight, [f, 3, h, w].
        names: of the weights.
        factors: of the frames, f of them.
    """
    width = NAMES + len(factors) * (FRAME + 4)
    sheet = Image.new("RGB", (width, 30 + len(frames) * (FRAME + 8)), GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for column, factor in enumerate(factors):
        at = (NAMES + column * (FRAME + 4) + FRAME // 2, 6)
        draw.text(at, f"x {factor:g}", INK, font, anchor="ma")
    for row, (images, name) in enumerate(zip(frames, names, strict=True)):
        y = 30 + row * (FRAME + 8)
        draw.text((6, y + FRAME // 2), shortened(name, font, NAMES - 12), INK, font, anchor="lm")
        for column, image in enumerate(images.cpu()):
            frame = data.to_image(image).resize((FRAME, FRAME), Image.Resampling.BILINEAR)
            sheet.paste(frame, (NAMES + column * (FRAME + 4), y))
    return sheet
