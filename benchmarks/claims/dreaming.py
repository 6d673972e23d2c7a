"""Claims about DeepDream and feature inversion."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

import synth
from benchmarks.claims.claim import (
    CS231N,
    SEEDS,
    SUMMARY,
    TJ,
    Figure,
    Outcome,
    above,
    below,
    claim,
    mean,
    rate,
)
from benchmarks.claims.pixels import correlation, neighbour_correlation, pattern_size
from benchmarks.claims.running import Runner, network

DREAM = "synth recipe=deepdream image=null 'images=[china,flower]' size=160 search.count=3"
LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
INVERSION = (
    "synth recipe=feature_inversion 'images=tiny_imagenet/val/*/val_11??.JPEG' steps=100 layer={}"
)
DEPTHS = ("conv1", "conv3", "conv5", "fc7")
INVERSIONS = tuple(INVERSION.format(layer) for layer in DEPTHS)


@claim(
    "DeepDream boosts every activation of the layer",
    "Perform gradient ascent on that neuron with respect to the image such that we boost every "
    "activation in that layer",
    CS231N,
    f"{DREAM} layer=relu3",
    "the mean activation of at least nine of ten channels is higher than for the picture itself",
    SEEDS,
)
def dream_boosts(run: Runner) -> Outcome:
    hits, ratios = [], []
    for result in run.each():
        before, after = (_means(images) for images in (result.originals, result.images))
        fires = (before > 0) | (after > 0)
        hits += (after > before)[fires].tolist()
        ratios += (after.mean(1) / before.mean(1)).tolist()
    higher = rate("channels that are higher", hits)
    return Outcome(higher.value >= 0.9, [higher, mean("mean activation, times", ratios)])


@claim(
    "Deeper layers dream larger patterns",
    "The deeper you select a neuron, the more complex features will show up",
    CS231N,
    tuple(f"{DREAM} layer={layer}" for layer in LAYERS),
    "the size of the patterns that are added grows from each layer to the next",
    SEEDS,
    note="size is not complexity: the first layer paints flat colours, which count as large",
)
def deeper_dreams(run: Runner) -> Outcome:
    figures = []
    for place, layer in enumerate(LAYERS):
        sizes = [size for each in run.each(place) for size in pattern_size(_added(each)).tolist()]
        figures.append(mean(layer, sizes, "pixels"))
    values = [figure.value for figure in figures]
    return Outcome(values == sorted(values), figures)


@claim(
    "Jitter makes the dream less awkward",
    "Before calculating the gradients, jitter the image a little bit. It acts as a regularizer to "
    "generate an image that's not awkward.",
    SUMMARY,
    (f"{DREAM} layer=relu3", f"{DREAM} layer=relu3 transform=none"),
    "what is added is smoother: neighbouring pixels of the change are more alike with jitter than "
    "without",
    SEEDS,
)
def jitter_smooths(run: Runner) -> Outcome:
    alike = [
        [
            value
            for each in run.each(place)
            for value in neighbour_correlation(_added(each)).tolist()
        ]
        for place in (0, 1)
    ]
    more = mean("difference", [a - b for a, b in zip(*alike, strict=True)])
    figures = [mean("correlation of neighbours with jitter", alike[0]), mean("without", alike[1])]
    return Outcome(above(more, 0.0), [*figures, more])


@claim(
    "Earlier layers give more accurate copies",
    "Using activations from earlier layers leads to more accurate copies of original image",
    TJ,
    INVERSIONS,
    "the correlation of the pixels with the original falls from each layer to the next, and the "
    "intervals are apart",
    SEEDS,
)
def earlier_copies(run: Runner) -> Outcome:
    figures = [mean(layer, _copies(run, place)) for place, layer in enumerate(DEPTHS)]
    pairs = itertools.pairwise(figures)
    return Outcome(all(above(a, float(b.high or 0)) for a, b in pairs), figures)


@claim(
    "Deep layers forget pixels and keep the meaning",
    "As the network deepens, all of the low-level information may disappear, and instead be trying "
    "to maintain only semantic information",
    SUMMARY,
    INVERSIONS,
    "from fc7 the class of the original is predicted for more than half of the images, and their "
    "pixels correlate by less than 0.5",
    SEEDS,
)
def meaning_stays(run: Runner) -> Outcome:
    place = DEPTHS.index("fc7")
    same = []
    for result in run.each(place):
        with torch.inference_mode():
            before, after = (
                network("mini_alexnet")(images).argmax(1)
                for images in (result.originals, result.images)
            )
        same += (before == after).tolist()
    kept = rate("class of the original", same)
    pixels = mean("correlation of the pixels", _copies(run, place))
    return Outcome(above(kept, 0.5) and below(pixels, 0.5), [kept, pixels])


@claim(
    "Features betray which picture they came from",
    "Has implications for privacy",
    TJ,
    INVERSIONS,
    "from conv5 the image is nearer to its own original, by pixels, than to any other of the "
    "pictures ten times as often as by chance",
    SEEDS,
)
def privacy(run: Runner) -> Outcome:
    results = run.each(DEPTHS.index("conv5"))
    hits = [bool(item.extra["found_again_pixels"]) for each in results for item in each.items]
    chance = results[0].findings["found_again_chance"]
    nearest = rate("nearest to its own original", hits)
    return Outcome(nearest.value >= 10 * chance, [nearest, Figure("chance", chance, unit="%")])


# -- what several claims read ----------------------------------------------------------------------


def _means(images: Tensor | list[Tensor]) -> Tensor:
    """The mean activation of each channel of relu3: [n, channels]."""
    with torch.inference_mode():
        return torch.cat(
            [network("mini_alexnet").read(x[None], ["relu3"])["relu3"].mean((2, 3)) for x in images]
        )


def _added(result: synth.Result) -> Tensor:
    return torch.stack([*result.images]) - torch.stack([*result.originals])


def _copies(run: Runner, place: int) -> list[float]:
    """Correlations of the pixels with those of the original."""
    return [
        value
        for result in run.each(place)
        for value in correlation(result.images, result.originals).tolist()
    ]
