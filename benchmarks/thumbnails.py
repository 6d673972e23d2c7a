"""The small pictures of README's table of recipes: python -m benchmarks.thumbnails [recipe ...]

Each is made by the recipe itself, and becomes docs/recipes/RECIPE.jpg: three of its pictures side by side, or what
its figure shows. Those on SqueezeNet need its weights, and those on photographs and paintings the pictures, in the
folder that SYNTH_SHARED names (default ../shared).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared")).resolve()
SYNTH = str(Path(sys.executable).parent / "synth")
DOCS = Path(__file__).parent.parent / "docs/recipes"
SIDE, GAP = 144, 6
SQUEEZENET = ["network=squeezenet1_1", f"network.weights={SHARED / 'weights/squeezenet1_1.fp16.safetensors'}"]
THREE = "target=[goldfish, king penguin, teapot]"

PANDA = "image={0}/imagenet_samples_500/n02510455/n02510455_giant_panda.jpg"
PAINTING = "style={0}/style_pictures/starry_night_crop.jpg"

# what to write after recipe=NAME, and which files of the run make the picture: a glob in the run folder, and places
RECIPES: dict[str, tuple[list[str], str, tuple[int, ...]]] = {
    "class_ascent": ([THREE], "images/*.png", (0, 1, 2)),
    "class_ascent_fourier": ([THREE, *SQUEEZENET, "encoding.size=192"], "images/*.png", (0, 1, 2)),
    "maco": ([THREE, *SQUEEZENET, "encoding.size=224", "search.steps=128"], "images/*.png", (0, 1, 2)),
    "neuron_ascent": (["unit=[1, 2, 3]"], "images/*.png", (0, 1, 2)),
    "diversity": (["unit=8"], "images/*.png", (0, 1, 2)),
    "multifaceted": (["target=bell pepper", "images={0}/tiny_imagenet_100/train/n07720875"], "images/*.png", (0, 1, 2)),
    "fooling_gradient": ([THREE], "images/*.png", (0, 1, 2)),
    "fast_gradient_sign": ([PANDA, "target=gibbon", *SQUEEZENET], "figures/*.png", (0,)),
    "projected_gradient": (["image=flower", "target=teapot", *SQUEEZENET], "figures/*.png", (0,)),
    "minimal_perturbation": (["image=china", *SQUEEZENET], "figures/*.png", (0,)),
    "universal_perturbation": (["images={0}/tiny_imagenet_100/val", "holdout=500"], "images/*.png", (0,)),
    "fooling_genetic": ([THREE], "images/*.png", (0, 1, 2)),
    "fooling_cma": ([THREE], "images/*.png", (0, 1, 2)),
    "fooling_cppn": (["target=[goldfish, school bus, lemon]"], "images/*.png", (0, 1, 2)),
    "deepdream": (["image=flower", *SQUEEZENET, "layer=features.11", "encoding.longest=640", "search.steps=24",
                   "search.search.rate=0.008"], "images/*.png", (0,)),
    "deepdream_film": ([], "frames/*.png", (0, 8, 23)),
    "feature_inversion": ([], "strip/*.png", (0,)),
    "texture": ([PAINTING, *SQUEEZENET], "images/*.png", (0,)),
    "texture_nearest": (["style={0}/style_pictures/wave_crop.jpg", "centre=[0.8, 0.3]", "sample=96"],
                        "images/*.png", (0,)),
    "style_transfer": (["content=china", PAINTING, *SQUEEZENET], "images/*.png", (0,)),
}  # fmt: skip


def main() -> None:
    """Makes the pictures named on the command line, or all."""
    DOCS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for tar in sorted((SHARED / "data").glob("*.tar")):
            if any(word in tar.name for word in ("imagenet_samples", "style", "tiny_imagenet")):
                with tarfile.open(tar) as archive:
                    archive.extractall(temporary, filter="data")
        for name in sys.argv[1:] or list(RECIPES):
            words, pattern, places = RECIPES[name]
            folder = Path(temporary, "runs", name)
            told = [word.replace("{0}", temporary) for word in words]
            subprocess.run([SYNTH, f"recipe={name}", f"folder={folder}", *told], check=True)
            _save(name, [sorted(folder.glob(pattern))[place] for place in places])


def _save(name: str, files: list[Path]) -> None:
    """The pictures side by side, cut to squares; one that is alone keeps its shape."""
    images = []
    for file in files:
        with Image.open(file) as image:
            picture = image.convert("RGB")
        if len(files) == 1:
            size = 3 * SIDE + 2 * GAP, round(picture.height * (3 * SIDE + 2 * GAP) / picture.width)
            images.append(picture.resize(size, Image.Resampling.LANCZOS))
        else:
            images.append(ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS))
    sheet = Image.new("RGB", (sum(image.width + GAP for image in images) - GAP, images[0].height), "white")
    x = 0
    for image in images:
        sheet.paste(image, (x, 0))
        x += image.width + GAP
    sheet.save(DOCS / f"{name}.jpg", quality=88, optimize=True)
    print(f"{DOCS / name}.jpg: {sheet.width} x {sheet.height}, {json.dumps(str(files[0].parent.name))}")


if __name__ == "__main__":
    main()
