"""Pictures of coloured and textured shapes with exact label maps, made to measure detectors with.

They are in the layout that `synth.data.concepts` reads: images, labels/color, labels/texture,
labels/object, and the table of their values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {  # RGB of each in [0, 1]
    "black": (0.07, 0.07, 0.07),
    "white": (0.95, 0.95, 0.95),
    "red": (0.8, 0.12, 0.12),
    "orange": (0.93, 0.52, 0.1),
    "yellow": (0.93, 0.86, 0.2),
    "green": (0.15, 0.6, 0.2),
    "blue": (0.12, 0.28, 0.8),
    "purple": (0.5, 0.18, 0.62),
    "pink": (0.95, 0.6, 0.72),
    "brown": (0.42, 0.26, 0.13),
}
TEXTURES = (
    "horizontal stripes",
    "vertical stripes",
    "diagonal stripes",
    "chequered",
    "dotted",
    "noisy",
    "gradient",
)
SHAPES = ("disc", "square", "triangle", "ring", "star", "cross", "ellipse", "bar")
CATEGORIES = {"color": tuple(COLOURS), "texture": TEXTURES, "object": SHAPES}
MOST = 3  # shapes of a picture
CONTRAST = 0.55  # light of a texture's darker parts
NOISE = 0.02  # standard deviation over all pixels


def write_concepts(folder: Path, pictures: int = 300, size: int = 96, seed: int = 0) -> None:
    """Writes pictures, label maps and the table of concepts.

    Each picture has a grey ground, which has no label, and one to three coloured, textured shapes
    on it, which may cover each other. The table is written last, so that a folder with it is whole.

    Args:
        folder: is made, where it is not there.
        pictures: how many.
        size: side in pixels.
        seed: of all that is random.
    """
    for name in ("images", *(f"labels/{category}" for category in CATEGORIES)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    first, offset = {}, 1
    lines = ["value\tname\tcategory\tignore"]
    for category, names in CATEGORIES.items():
        first[category] = offset
        lines += [f"{offset + n}\t{name}\t{category}\t0" for n, name in enumerate(names)]
        offset += len(names)
    for number in range(pictures):
        image, maps = _picture(np.random.default_rng((seed, number)), size)
        Image.fromarray(image).save(folder / "images" / f"{number:04d}.png")
        for category, labels in maps.items():
            values = np.where(labels >= 0, labels + first[category], 0).astype(np.uint8)
            Image.fromarray(values).save(folder / "labels" / category / f"{number:04d}.png")
    (folder / "concepts.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _picture(draws: np.random.Generator, size: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A picture [h, w, 3] of 8 bits, and each category's concept of each pixel, -1 for none."""
    grid = (np.arange(size) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(grid, grid, indexing="ij")
    maps = {category: np.full((size, size), -1) for category in CATEGORIES}
    image = np.full((size, size, 3), draws.uniform(0.35, 0.65))
    for _ in range(draws.integers(1, MOST + 1)):
        shape = int(draws.integers(len(SHAPES)))
        inside = _shape(draws, SHAPES[shape], x, y)
        colour, texture = int(draws.integers(len(COLOURS))), int(draws.integers(len(TEXTURES)))
        light = _texture(draws, TEXTURES[texture], x, y)
        tint = np.array([*COLOURS.values()][colour]) + draws.normal(0, 0.03, 3)
        image[inside] = (tint * light[..., None])[inside]
        maps["color"][inside], maps["texture"][inside] = colour, texture
        maps["object"][inside] = shape
    slope = draws.uniform(-0.15, 0.15, 2)  # light from one side, as in photographs
    image *= (1 + slope[0] * x + slope[1] * y)[..., None]
    image += draws.normal(0, NOISE, image.shape)
    return (image.clip(0, 1) * 255).round().astype(np.uint8), maps


def _texture(draws: np.random.Generator, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The light of a texture, `CONTRAST` to 1, at coordinates from -1 to 1."""
    waves, shift = draws.uniform(5, 10), draws.uniform(0, 2 * np.pi, 2)
    across, down = np.sin(np.pi * waves * x + shift[0]), np.sin(np.pi * waves * y + shift[1])
    match name:
        case "horizontal stripes":
            bright = down > 0
        case "vertical stripes":
            bright = across > 0
        case "diagonal stripes":
            turn = 1 if draws.integers(2) else -1
            bright = np.sin(np.pi * waves * (x + turn * y) / 1.4 + shift[0]) > 0
        case "chequered":
            bright = (across > 0) ^ (down > 0)
        case "dotted":
            bright = across + down < 0.9
        case "noisy":
            bright = draws.random(x.shape)
        case _:  # gradient
            turn = draws.uniform(0, 2 * np.pi)
            bright = 0.5 + 0.35 * (x * np.cos(turn) + y * np.sin(turn))
    return CONTRAST + (1 - CONTRAST) * bright


def _shape(draws: np.random.Generator, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where a shape of random place, size and direction is."""
    radius = draws.uniform(0.3, 0.6)
    centre = draws.uniform(-0.9 + radius, 0.9 - radius, 2)
    turn = draws.uniform(0, 2 * np.pi)
    x, y = (x - centre[0]) / radius, (y - centre[1]) / radius
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    match name:
        case "disc":
            return distance < 1
        case "ring":
            return (distance < 1) & (distance > 0.55)
        case "ellipse":
            return np.hypot(x, y / 0.5) < 1
        case "square":
            return np.maximum(abs(x), abs(y)) < 0.75
        case "bar":
            return (abs(x) < 1) & (abs(y) < 0.25)
        case "cross":
            return (np.minimum(abs(x), abs(y)) < 0.25) & (np.maximum(abs(x), abs(y)) < 0.9)
        case "triangle":
            return distance * np.cos((angle + np.pi / 3) % (2 * np.pi / 3) - np.pi / 3) < 0.5
        case _:  # star
            return distance < 0.42 + 0.58 * abs((angle * 5 / (2 * np.pi)) % 1 - 0.5) * 2
