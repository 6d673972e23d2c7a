"""The README's pictures, made by the engine: python -m benchmarks.pictures [ascent codes ...]

Each becomes one sheet in docs/. The SqueezeNet sheet needs its weights in the folder that
SYNTH_SHARED names (default ../shared). The map takes a quarter of an hour, or is that of the
finished run that SYNTH_MAP names.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
SYNTH = str(Path(sys.executable).parent / "synth")
DOCS = Path(__file__).parent.parent / "docs"
STYLE = Path(__file__).parent.parent / "synth/networks/weights/stylizer.jpg"
TWELVE = (
    "goldfish, monarch, school bus, lemon, pizza, jellyfish, king penguin, spider web, "
    "brain coral, umbrella, teapot, ladybug"
)
TWENTY = (
    "king penguin, tarantula, bison, African elephant, chimpanzee, ladybug, barn, beacon, "
    "beer bottle, candle, hourglass, obelisk, sandal, sunglasses, teapot, umbrella, water tower, "
    "cauliflower, mushroom, lemon"
)
SHUFFLE = 1  # seed of their order on the sheet
GAP, LINE = 12, 22
FRAMES = 5  # ancestors in a strip, before the elite


def main() -> None:
    """Makes the sheets named on the command line, or all."""
    DOCS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or list(SHEETS):
        SHEETS[name]()


def ascent() -> None:
    """Twelve classes of mini AlexNet, 64 px."""
    _sheet(
        "class_ascent_mini_alexnet.png",
        _run("recipe=class_ascent_fourier", f"target=[{TWELVE}]"),
        176,
        6,
    )


def codes() -> None:
    """Twenty classes of mini AlexNet by the bundled generator, shuffled and without names."""
    images = _run("recipe=generator_ascent", f"target=[{TWENTY}]")
    random.Random(SHUFFLE).shuffle(images)
    side = 112
    columns = 10
    gap = 4
    sheet = Image.new("RGB", (columns * (side + gap) - gap, 2 * (side + gap) - gap), "white")
    for place, (image, _) in enumerate(images):
        corner = (place % columns * (side + gap), place // columns * (side + gap))
        sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), corner)
    sheet.save(DOCS / "generator_ascent.jpg", quality=88, optimize=True)
    print(f"{DOCS}/generator_ascent.jpg: {', '.join(item['target'] for _, item in images)}")


def stylizer() -> None:
    """The style of the bundled stylizer, and the bundled photographs in that style."""
    height = 240
    gap = 6
    with Image.open(STYLE) as image:
        row = [image.convert("RGB").resize((height, height), Image.Resampling.LANCZOS)]
    for image, _ in _run("recipe=stylize", "images=[china, flower]", "longest=512"):
        row.append(
            image.resize(
                (round(image.width * height / image.height), height), Image.Resampling.LANCZOS
            )
        )
    sheet = Image.new("RGB", (sum(image.width + gap for image in row) - gap, height), "white")
    x = 0
    for image in row:
        sheet.paste(image, (x, 0))
        x += image.width + gap
    sheet.save(DOCS / "stylize.jpg", quality=85, optimize=True)


def squeezenet() -> None:
    """Twelve classes of SqueezeNet 1.1, 192 px."""
    weights = SHARED / "weights/squeezenet1_1.fp16.safetensors"
    words = [
        "recipe=class_ascent_fourier",
        f"target=[{TWELVE}]",
        "network=squeezenet1_1",
        f"network.weights={weights}",
        "encoding.size=192",
        "objective.terms.tv.weight=0.02",
    ]
    _sheet("class_ascent_squeezenet.png", _run(*words), 192, 6)


def fooling() -> None:
    """The default comparison, a row each: gradient, genetic algorithm, CMA-ES, evolving CPPNs."""
    _sheet("fooling_comparison.png", _run(), 128, 8)


def map_of_classes() -> None:
    """One elite for each of 100 classes, and the ancestors of four of them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.environ.get("SYNTH_MAP") or f"{temporary}/run"
        if "SYNTH_MAP" not in os.environ:
            subprocess.run(
                [SYNTH, "recipe=map_elites", "search.steps=6000", f"folder={folder}"], check=True
            )
        items = json.loads(Path(folder, "result.json").read_text())["items"]
        side = 58
        columns = 20
        gap = 3
        sheet = Image.new(
            "RGB",
            (columns * (side + gap) - gap, -(-len(items) // columns) * (side + gap) - gap),
            "white",
        )
        for place, item in enumerate(items):
            corner = (place % columns * (side + gap), place // columns * (side + gap))
            with Image.open(Path(folder, item["file"])) as image:
                sheet.paste(
                    image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), corner
                )
        sheet.quantize(256).save(DOCS / "map_elites.png", optimize=True)
        best = [item for item in items if item["success"] and len(item["ancestors"]) > FRAMES]
        # those whose ancestors were elites of the most classes
        best.sort(key=lambda item: -len({frame["target"] for frame in item["ancestors"]}))
        _strips(Path(folder), best[:4])


def _strips(folder: Path, items: list[dict[str, Any]]) -> None:
    """The ancestors of each item, the first on the left, each over the class it was elite of."""
    side = 128
    font = ImageFont.load_default(12)
    sheet = Image.new(
        "RGB", ((FRAMES + 1) * (side + GAP) + GAP, len(items) * (side + LINE + GAP) + GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for row, item in enumerate(items):
        with Image.open(folder / item["strip"]) as image:
            strip = image.convert("RGB")
            height = image.height
        ancestors = item["ancestors"]
        frames = [*range(FRAMES), len(ancestors) - 1]
        for place, frame in enumerate(frames):
            x = GAP + place * (side + GAP)
            y = GAP + row * (side + LINE + GAP)
            part = strip.crop((frame * height, 0, (frame + 1) * height, height))
            sheet.paste(part.resize((side, side), Image.Resampling.LANCZOS), (x, y))
            draw.text((x, y + side + 3), ancestors[frame]["target"], "#222222", font)
            percentage = f"{100 * ancestors[frame]['score']:.0f} %"
            draw.text(
                (x + side - draw.textlength(percentage, font), y + side + 3),
                percentage,
                "#888888",
                font,
            )
    sheet.save(DOCS / "lineage.png", optimize=True)


def page() -> None:
    """A screenshot of the page of the default comparison in headless Chromium."""
    browser = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if browser is None:
        sys.exit("page: no Chromium is installed")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SYNTH], check=True, cwd=folder)
        (page_file,) = Path(folder).glob("runs/*/*/index.html")
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1200,1560",
        ]
        screenshot = Path(folder, "page.png")
        words = [
            browser,
            *flags,
            f"--user-data-dir={folder}/browser",
            f"--screenshot={screenshot}",
            page_file.as_uri(),
        ]
        subprocess.run(words, check=True, capture_output=True)
        with Image.open(screenshot) as image:
            scaled = image.convert("RGB").resize((900, 1170), Image.Resampling.LANCZOS)
    scaled.quantize(128).save(DOCS / "page.png", optimize=True)


def _run(*words: str) -> list[tuple[Image.Image, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SYNTH, f"folder={folder}/run", *words], check=True)
        items = json.loads(Path(folder, "run", "result.json").read_text())["items"]
        return [
            (Image.open(Path(folder, "run", item["file"])).convert("RGB"), item) for item in items
        ]


def _sheet(
    name: str, images: list[tuple[Image.Image, dict[str, Any]]], side: int, columns: int
) -> None:
    """All images on white, each over its class and the confidence on the saved file."""
    font = ImageFont.load_default(13)
    rows = -(-len(images) // columns)
    sheet = Image.new(
        "RGB", (columns * (side + GAP) + GAP, rows * (side + LINE + GAP) + GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for place, (image, item) in enumerate(images):
        x = GAP + place % columns * (side + GAP)
        y = GAP + place // columns * (side + LINE + GAP)

        sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (x, y))
        draw.text((x, y + side + 3), item["target"], "#222222", font)
        percentage = f"{100 * item['confidence']:.1f} %"
        draw.text(
            (x + side - draw.textlength(percentage, font), y + side + 3),
            percentage,
            "#888888",
            font,
        )
    sheet.save(DOCS / name, optimize=True)
    print(f"{DOCS / name}: {len(images)} pictures")


SHEETS = {
    "ascent": ascent,
    "codes": codes,
    "stylizer": stylizer,
    "squeezenet": squeezenet,
    "fooling": fooling,
    "map": map_of_classes,
    "page": page,
}

if __name__ == "__main__":
    main()
