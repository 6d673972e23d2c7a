"""The README's pictures, made by the engine: python -m benchmarks.pictures [ascent squeezenet fooling page]

Each becomes one sheet in docs/. The SqueezeNet sheet needs its weights in the folder that SYNTH_SHARED names
(default ../shared).
"""

from __future__ import annotations

import json
import os
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
TWELVE = (
    "goldfish, monarch, school bus, lemon, pizza, jellyfish, king penguin, spider web, brain coral, umbrella, "
    "teapot, ladybug"
)
GAP, LINE = 12, 22


def main() -> None:
    """Makes the sheets named on the command line, or all."""
    DOCS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or list(SHEETS):
        SHEETS[name]()


def ascent() -> None:
    """Twelve classes of mini AlexNet, 64 px."""
    _sheet("class_ascent_mini_alexnet.png", _run("recipe=class_ascent_fourier", f"target=[{TWELVE}]"), 176, 6)


def squeezenet() -> None:
    """Twelve classes of SqueezeNet 1.1, 192 px."""
    weights = SHARED / "weights/squeezenet1_1.fp16.safetensors"
    words = ["recipe=class_ascent_fourier", f"target=[{TWELVE}]", "network=squeezenet1_1", f"network.weights={weights}",
             "encoding.size=192", "objective.terms.tv.weight=0.02"]  # fmt: skip
    _sheet("class_ascent_squeezenet.png", _run(*words), 192, 6)


def fooling() -> None:
    """The default comparison: the gradient's pictures above, the genetic algorithm's below."""
    _sheet("fooling_comparison.png", _run(), 128, 8)


def page() -> None:
    """The page of the default comparison, as headless Chromium shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("page: no Chromium is installed")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SYNTH], check=True, cwd=folder)
        (found,) = Path(folder).glob("runs/*/*/index.html")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,1560"]
        shot = Path(folder, "page.png")
        words = [browser, *flags, f"--user-data-dir={folder}/browser", f"--screenshot={shot}", found.as_uri()]
        subprocess.run(words, check=True, capture_output=True)
        with Image.open(shot) as image:
            small = image.convert("RGB").resize((900, 1170), Image.Resampling.LANCZOS)
    small.quantize(128).save(DOCS / "page.png", optimize=True)


def _run(*words: str) -> list[tuple[Image.Image, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SYNTH, f"folder={folder}/run", *words], check=True)
        items = json.loads(Path(folder, "run", "result.json").read_text())["items"]
        return [(Image.open(Path(folder, "run", item["file"])).convert("RGB"), item) for item in items]


def _sheet(name: str, found: list[tuple[Image.Image, dict[str, Any]]], side: int, columns: int) -> None:
    """All pictures on white, each over the name of its class and the network's confidence in the saved file."""
    font = ImageFont.load_default(13)
    rows = -(-len(found) // columns)
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, rows * (side + LINE + GAP) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (image, item) in enumerate(found):
        x = GAP + place % columns * (side + GAP)
        y = GAP + place // columns * (side + LINE + GAP)

        sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (x, y))
        draw.text((x, y + side + 3), item["target"], "#222222", font)
        said = f"{100 * item['confidence']:.1f} %"
        draw.text((x + side - draw.textlength(said, font), y + side + 3), said, "#888888", font)
    sheet.save(DOCS / name, optimize=True)
    print(f"{DOCS / name}: {len(found)} pictures")


SHEETS = {"ascent": ascent, "squeezenet": squeezenet, "fooling": fooling, "page": page}

if __name__ == "__main__":
    main()
