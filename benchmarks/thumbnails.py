"""The small pictures of README's table of recipes: python -m benchmarks.thumbnails [recipe ...]

Each is made by the recipe itself, and becomes docs/recipes/RECIPE.jpg: some of its images side by
side, or its figure. Recipes on SqueezeNet need its weights, and those on photographs and paintings
the pictures, in the folder that SYNTH_SHARED names (default ../shared).
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from PIL import Image

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared")).resolve()
SYNTH = str(Path(sys.executable).parent / "synth")
DOCS = Path(__file__).parent.parent / "docs/recipes"
HEIGHT, GAP = 160, 6
SQUEEZENET = [
    "network=squeezenet1_1",
    f"network.weights={SHARED / 'weights/squeezenet1_1.fp16.safetensors'}",
]
THREE = "target=[goldfish, king penguin, teapot]"

PANDA = "image={0}/imagenet_samples_500/n02510455/n02510455_giant_panda.jpg"
PAINTING = "style={0}/style_pictures/starry_night_crop.jpg"

# overrides after recipe=NAME, and the files of the run folder in the picture, from left to right
RECIPES: dict[str, tuple[list[str], list[str]]] = {
    "class_ascent": ([THREE], ["images/00[012].png"]),
    "class_ascent_fourier": ([THREE, *SQUEEZENET, "encoding.size=192"], ["images/00[012].png"]),
    "maco": ([THREE, *SQUEEZENET, "encoding.size=224", "search.steps=128"], ["images/00[012].png"]),
    "neuron_ascent": (["unit=[1, 2, 3]"], ["images/00[012].png"]),
    "diversity": (["unit=8"], ["images/00[012].png"]),
    "multifaceted": (
        ["target=bell pepper", "images={0}/tiny_imagenet_100/train/n07720875"],
        ["images/00[012].png"],
    ),
    "generator_ascent": (["target=[king penguin, mushroom, teapot]"], ["images/00[012].png"]),
    "generator_neuron": (["layer=conv5", "unit=[1, 2, 3]"], ["images/00[012].png"]),
    "generator_diversity": (["target=lemon", "encoding.count=3"], ["images/00[012].png"]),
    "generator_walk": (["target=[lemon, orange]", "figures.walk.across=5"], ["walk/000.png"]),
    "fooling_gradient": ([THREE], ["images/00[012].png"]),
    "fast_gradient_sign": ([PANDA, "target=gibbon", *SQUEEZENET], ["figures/000.png"]),
    "projected_gradient": (["image=flower", "target=teapot", *SQUEEZENET], ["figures/000.png"]),
    "minimal_perturbation": (["image=china", *SQUEEZENET], ["figures/000.png"]),
    "universal_perturbation": (
        ["images={0}/tiny_imagenet_100/val", "holdout=500"],
        ["images/000.png", "figures/000.png"],
    ),
    "fooling_genetic": ([THREE], ["images/00[012].png"]),
    "fooling_cma": ([THREE], ["images/00[012].png"]),
    "fooling_cppn": (["target=[goldfish, school bus, lemon]"], ["images/00[012].png"]),
    "generator_cma": (["target=[king penguin, mushroom, teapot]"], ["images/00[012].png"]),
    "deepdream": (
        [
            "image=flower",
            *SQUEEZENET,
            "layer=features.11",
            "encoding.longest=640",
            "search.steps=24",
            "search.search.rate=0.008",
        ],
        ["originals/000.png", "images/000.png"],
    ),
    "deepdream_film": ([], ["frames/000.png", "frames/008.png", "frames/023.png"]),
    "filters": ([], ["figures/000.png"]),
    "activations": (["images=flower", "layer=relu2", "channels=3"], ["figures/000.png"]),
    "occlusion": (["images=flower", *SQUEEZENET], ["figures/000.png"]),
    "saliency": (
        ["images=flower", "methods=[vanilla, guided_backprop, grad_cam]", *SQUEEZENET],
        ["figures/000.png"],
    ),
    "feature_inversion": (
        ["layer=[features.1, features.7, features.12]", *SQUEEZENET],
        ["strip/000.png"],
    ),
    "texture": (
        [PAINTING, *SQUEEZENET, "objective.terms.style.statistic=moments"],
        ["{0}/style_pictures/starry_night_crop.jpg", "images/000.png"],
    ),
    "texture_nearest": (
        ["style={0}/style_pictures/wave_crop.jpg", "centre=[0.8, 0.3]", "sample=96"],
        ["{0}/style_pictures/wave_crop.jpg", "images/000.png"],
    ),
    "style_transfer": (
        [PAINTING, *SQUEEZENET, "objective.terms.content.weight=0.05"],
        ["originals/000.png", "images/000.png"],
    ),
    "stylize": (["image=china", "longest=384"], ["originals/000.png", "images/000.png"]),
}


def main() -> None:
    """Makes the pictures named on the command line, or all."""
    DOCS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for tar in sorted((SHARED / "data").glob("*.tar")):
            if any(word in tar.name for word in ("imagenet_samples", "style", "tiny_imagenet")):
                with tarfile.open(tar) as archive:
                    archive.extractall(temporary, filter="data")
        for name in sys.argv[1:] or list(RECIPES):
            words, patterns = RECIPES[name]
            folder = Path(temporary, "runs", name)
            overrides = [word.replace("{0}", temporary) for word in words]
            subprocess.run([SYNTH, f"recipe={name}", f"folder={folder}", *overrides], check=True)
            groups = [
                sorted(glob.glob(str(folder / pattern.replace("{0}", temporary))))
                for pattern in patterns
            ]
            _save(name, [Path(file) for files in groups for file in files])


def _save(name: str, files: list[Path]) -> None:
    """The pictures side by side, each in its own shape, all of one height."""
    images = []
    for file in files:
        with Image.open(file) as image:
            width = round(image.width * HEIGHT / image.height)
            images.append(image.convert("RGB").resize((width, HEIGHT), Image.Resampling.LANCZOS))
    sheet = Image.new("RGB", (sum(image.width + GAP for image in images) - GAP, HEIGHT), "white")
    x = 0
    for image in images:
        sheet.paste(image, (x, 0))
        x += image.width + GAP
    sheet.save(DOCS / f"{name}.jpg", quality=88, optimize=True)
    print(f"{DOCS / name}.jpg: {sheet.width} x {sheet.height}")


if __name__ == "__main__":
    main()
