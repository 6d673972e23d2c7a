"""Texture synthesis by nearest neighbours, against the same scan as loops over pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from console import Synth, result_of
from PIL import Image
from scipy import ndimage

from synth.core.randomness import key_of
from synth.core.rows import Rows
from synth.errors import InputError
from synth.jobs.texture_nearest import TextureNearest
from synth.record.folder_record import FolderRecord

pytest_plugins = "console_fixtures"


def scan_by_loops(
    sample: np.ndarray, size: tuple[int, int], neighbourhood: int, levels: int, seed: int
) -> np.ndarray:
    """Wei & Levoy's scan in whole numbers: a loop over pixels, in it one over neighbourhoods."""
    samples, sizes = [sample.astype(np.int64)], [size]
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    for _ in range(levels - 1):
        blurred = [
            ndimage.convolve(samples[-1][..., c] - 128.0, kernel, mode="nearest") for c in range(3)
        ]
        samples.append(np.rint(np.stack(blurred, -1)[::2, ::2]).astype(np.int64) + 128)
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    key = torch.tensor([key_of(seed, "texture_nearest")])
    coarser = None
    for level in reversed(range(levels)):
        radius = neighbourhood // 2
        source = samples[level]
        height, width = sizes[level]
        draws = (
            Rows(torch.zeros_like(key), key)
            .fold_in(level)
            .uniform(radius, width)[0]
            .double()
            .numpy()
        )
        noise = source.reshape(-1, 3)[
            (draws * (source.shape[0] * source.shape[1])).astype(np.int64)
        ]
        image = np.full((height, width, 3), -1, np.int64)
        for y in range(height):
            for x in range(width):
                image[y, x] = source[nearest(source, image, noise, (y, x), radius, coarser)]
        coarser = (source, image)
    return image


def nearest(source, image, noise, place, radius, coarser) -> tuple[int, int]:
    """The first place in `source` whose complete neighbourhood is nearest to that in `image`."""
    y, x = place
    width = image.shape[1]
    neighbours = []
    for dy in range(-radius, 1):
        for dx in range(-radius, radius + 1):
            if (dy < 0 or dx < 0) and x + dx >= 0:
                row = y + dy
                colour = (
                    image[row, (x + dx) % width]
                    if row >= 0
                    else noise[radius + row, (x + dx) % width]
                )
                assert colour.min() >= 0, "only finished pixels are read"
                neighbours.append((dy, dx, colour))
    half = (2 * radius + 1) // 4
    best = None
    least = None
    for v in range(radius, source.shape[0]):
        for u in range(radius, source.shape[1] - radius):
            distance = sum(
                ((source[v + dy, u + dx] - colour) ** 2).sum() for dy, dx, colour in neighbours
            )
            if coarser is not None:
                coarse, finished = coarser
                top, left = v // 2 - half, u // 2 - half
                square = coarse[
                    max(top, 0) : top + 2 * half + 1, max(left, 0) : left + 2 * half + 1
                ]
                if top < 0 or left < 0 or square.shape[:2] != (2 * half + 1,) * 2:
                    continue
                rows = np.arange(y // 2 - half, y // 2 + half + 1) % finished.shape[0]
                columns = np.arange(x // 2 - half, x // 2 + half + 1) % finished.shape[1]
                distance += ((square - finished[np.ix_(rows, columns)]) ** 2).sum()
            if least is None or distance < least:
                best, least = (v, u), distance
    assert best is not None
    return best


def noise_picture(
    folder: Path, shape: tuple[int, int], values: int = 256
) -> tuple[str, np.ndarray]:
    """A picture of noise and its path; with few `values` many neighbourhoods tie."""
    pixels = np.random.default_rng(3).integers(0, values, (*shape, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "noise.png")
    return str(folder / "noise.png"), pixels


def run(folder: Path, style: str, **options: Any) -> tuple[dict[str, Any], np.ndarray]:
    result = TextureNearest(style, device="cpu", **options).run(FolderRecord(folder)).to_dict()
    with Image.open(folder / result["items"][0]["file"]) as opened:
        return result, np.asarray(opened)


@pytest.mark.parametrize(
    ("size", "neighbourhood", "levels", "values"),
    [
        ((8, 11), 3, 1, 256),
        ((11, 8), 5, 1, 2),
        ((8, 13), 5, 1, 256),
        ((13, 12), 3, 3, 256),
        ((10, 11), 5, 2, 2),
    ],
)
def test_the_image_is_that_of_the_scan_by_loops(
    size, neighbourhood, levels, values, tmp_path: Path
) -> None:
    style, pixels = noise_picture(tmp_path, (12, 14), values)
    _, image = run(
        tmp_path,
        style,
        size=size,
        neighbourhood=neighbourhood,
        levels=levels,
        sample=[12, 14],
        seed=4,
    )
    assert np.array_equal(image, scan_by_loops(pixels, size, neighbourhood, levels, 4))


def test_sums_in_double_precision_give_the_same_image(tmp_path: Path, monkeypatch) -> None:
    style, _ = noise_picture(tmp_path, (20, 20))
    options = {"size": 16, "neighbourhood": 5, "levels": 2, "sample": 20}
    _, single = run(tmp_path, style, **options)
    monkeypatch.setattr("synth.jobs.texture_nearest.EXACT", 0)
    _, double = run(tmp_path, style, **options)
    assert np.array_equal(single, double)


def test_a_tiled_sample_continues_its_tiles(tmp_path: Path) -> None:
    """A tile continues in one way only; where two tilings meet, the seam repeats too."""
    tile = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    Image.fromarray(np.tile(tile, (6, 5, 1))).save(tmp_path / "tiles.png")
    _, image = run(
        tmp_path, str(tmp_path / "tiles.png"), size=30, neighbourhood=7, levels=1, sample=[24, 25]
    )
    assert np.array_equal(image[14:, 10:], image[10:-4, 10:])


def test_a_run_is_one_item_and_repeats(tmp_path: Path) -> None:
    first, image = run(
        tmp_path / "a", "flower", size=[24, 20], neighbourhood=5, levels=2, sample=24
    )
    again, repeated = run(
        tmp_path / "b", "flower", size=[24, 20], neighbourhood=5, levels=2, sample=24
    )
    _, other = run(
        tmp_path / "c", "flower", size=[24, 20], neighbourhood=5, levels=2, sample=24, seed=1
    )
    assert np.array_equal(image, repeated)
    assert not np.array_equal(image, other)
    assert image.shape == (24, 20, 3)
    assert {key: first["findings"][key] for key in first["findings"]} == again["findings"]
    (item,) = first["items"]
    assert (item["target"], item["style"], item["success"]) == ("flower.jpg", "flower.jpg", None)
    assert 0 < first["findings"]["mean_distance"] < 0.5
    assert 0 < first["findings"]["used"] <= 1
    with Image.open(tmp_path / "a" / first["figures"][0]["file"]) as sample:
        colours = {tuple(colour) for colour in np.asarray(sample).reshape(-1, 3).tolist()}
    # every pixel is one of the sample's
    assert {tuple(colour) for colour in image.reshape(-1, 3).tolist()} <= colours


def test_the_sample_is_cut_at_crop_and_centre(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    style = str(tmp_path / "p.png")

    def sample(**options: Any) -> np.ndarray:
        image = TextureNearest(style, neighbourhood=3, levels=1, device="cpu", **options).sample
        return (image * 255).round().byte().permute(1, 2, 0).numpy()

    assert np.array_equal(sample(sample=[40, 60]), pixels)
    assert np.array_equal(sample(sample=40), pixels[:, 10:50])
    assert np.array_equal(sample(sample=20, crop=0.5), pixels[10:30, 20:40])
    assert np.array_equal(sample(sample=20, crop=0.5, centre=[0, 1]), pixels[:20, 40:])
    assert np.array_equal(
        sample(sample=[10, 20], crop=1 / 3, centre=[0.5, 0.5]), pixels[15:25, 20:40]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neighbourhood": 4}, "neighbourhood=4: a width with a middle; write 5"),
        ({"neighbourhood": -2}, "neighbourhood=-2: a width with a middle; write 3"),
        ({"neighbourhood": 1}, "neighbourhood=1: .*write 3"),
        ({"levels": 0}, "levels=0: write 1"),
        (
            {"sample": 16},
            "sample=16x16: 4 pixels a side at the coarsest of 3 levels.*sample=36 or more",
        ),
        ({"size": [64, 20]}, "size=64x20: 5 pixels a side .*neighbourhood=9"),
        ({"size": None}, "size=null"),
        ({"crop": 0}, "crop=0: "),
        ({"centre": [0.5]}, r"centre=\[0.5\]: write \[down, across\]"),
        ({"centre": [2, 0]}, r"centre=\[2, 0\]"),
        ({"style": "flwer"}, "style=flwer: no such file. Did you mean flower"),
    ],
)
def test_mistakes_are_reported_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TextureNearest(**options)


def test_the_command_writes_a_page(synth: Synth) -> None:
    output = synth(
        "recipe=texture_nearest",
        "size=16",
        "sample=16",
        "levels=1",
        "neighbourhood=5",
        "folder=out",
    )
    assert output.code == 0, output.err
    result = result_of(Path("out"))
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert result["figures"][0]["file"] in page
    assert result["items"][0]["file"] in page
    assert "The sample, from flower.jpg." in page
