"""Claims about textures and styles."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.claims.claim import (
    CS231N,
    DL4CV,
    SEEDS,
    SUMMARY,
    Outcome,
    above,
    below,
    claim,
    mean,
)
from benchmarks.claims.pixels import correlation, pattern_size
from benchmarks.claims.running import Runner, unpacked
from synth import data

SIDE = 128
PAINTINGS = ("the_scream", "mosaic")
TEXTURES = tuple(f"synth recipe=texture style=styles/{name}.jpg size={SIDE}" for name in PAINTINGS)
DEPTHS = tuple(f"{command} depth=[1,2,3,4] steps=150" for command in TEXTURES)
TRANSFERS = tuple(
    f"synth recipe=style_transfer content=china style=styles/{name}.jpg size={SIDE}"
    for name in PAINTINGS
)


@claim(
    "Matching Gram matrices makes the texture out of noise",
    "Initialize generated image from random noise. Compute loss: weighted sum of L2 distance "
    "between Gram matrices. Make gradient step on image.",
    SUMMARY,
    TEXTURES,
    "of the error of the Gram matrices less than 5 % is left on the saved files, on average",
    SEEDS,
)
def texture_from_noise(run: Runner) -> Outcome:
    left = mean("error left", _errors(run, TEXTURES), "%")
    return Outcome(below(left, 0.05), [left])


@claim(
    "A Gram matrix keeps nothing of the places",
    "Instead of averaging all the values corresponding to each point in the image and deleting all "
    "spatial information, only co-occurrences between features are captured",
    SUMMARY,
    TEXTURES,
    "the pixels of the texture correlate with those of the painting by less than 0.2",
    SEEDS,
)
def places_are_lost(run: Runner) -> Outcome:
    values = []
    for place, name in enumerate(PAINTINGS):
        for result in run.each(place):
            values += correlation(result.images, _painting(name)[None]).tolist()
    alike = mean("correlation with the painting", values)
    return Outcome(below(alike, 0.2), [alike])


@claim(
    "The later the layer, the larger the patterns",
    "The later the activation used to compute the gram matrix, the larger the transferred features",
    CS231N,
    DEPTHS,
    "averaged over two paintings, the size of the patterns grows with each layer that has to agree",
    SEEDS,
    note=(
        "the search is in the Fourier basis and starts from large patterns, which stay where no "
        "layer asks for others; the lecture's starts from noise of single pixels"
    ),
)
def deeper_textures(run: Runner) -> Outcome:
    sizes = torch.stack(
        [
            pattern_size(result.images)
            for place in range(len(PAINTINGS))
            for result in run.each(place)
        ]
    )
    figures = [mean(f"{n} layers", sizes[:, n - 1].tolist(), "pixels") for n in range(1, 5)]
    values = [figure.value for figure in figures]
    return Outcome(values == sorted(values), figures)


@claim(
    "The first layer keeps the colours, not the structure",
    "Looking at the results in the shallow layer, the color is maintained well, but the spatial "
    "structure is not well utilized",
    SUMMARY,
    DEPTHS,
    "with one layer the mean and the covariance of the colours are within 10 % of the painting's, "
    "and the patterns have less than half of the size of the painting's",
    SEEDS,
    note=(
        "the search is in the Fourier basis and starts from large patterns, which stay where no "
        "layer asks for others; the lecture's starts from noise of single pixels"
    ),
)
def shallow_colours(run: Runner) -> Outcome:
    errors, ratios = [], []
    for place, name in enumerate(PAINTINGS):
        painting = _painting(name)
        for result in run.each(place):
            image = result.images[0]
            errors.append(float((_colours(image) - _colours(painting)).norm()))
            errors[-1] /= float(_colours(painting).norm())
            ratios.append(float(pattern_size(image[None]) / pattern_size(painting[None])))
    error = mean("error of the colours", errors, "%")
    ratio = mean("size of the patterns, in those of the painting", ratios, "%")
    return Outcome(below(error, 0.1) and below(ratio, 0.5), [error, ratio])


@claim(
    "Style transfer has the content of one picture and the style of another",
    "Hopefully, we'll get an image that looks like the content image but has the style of the "
    "style image",
    DL4CV,
    TRANSFERS,
    "of the error of the Gram matrices less than a quarter is left, and the pixels correlate with "
    "the content by more than 0.5",
    SEEDS,
)
def style_and_content(run: Runner) -> Outcome:
    left = mean("error of the style left", _errors(run, TRANSFERS), "%")
    values = []
    for place in range(len(TRANSFERS)):
        for result in run.each(place):
            image = result.images[0]
            content = data.picture("china").at((image.shape[1], image.shape[2]))
            values += correlation(image[None].mean(1, True), content[None].mean(1, True)).tolist()
    alike = mean("correlation with the content's brightness", values)
    return Outcome(below(left, 0.25) and above(alike, 0.5), [left, alike])


# -- what several claims read ----------------------------------------------------------------------


def _errors(run: Runner, commands: tuple[str, ...]) -> list[float]:
    return [
        result.findings["style_error"]
        for place in range(len(commands))
        for result in run.each(place)
    ]


def _painting(name: str) -> Tensor:
    return data.picture(str(unpacked("styles/") / f"{name}.jpg")).at((SIDE, SIDE))


def _colours(image: Tensor) -> Tensor:
    """The second moments of the colours, [3, 3]: mean and covariance together."""
    values = image.flatten(1)
    return values @ values.T / values.shape[1]
