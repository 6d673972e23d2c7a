"""Claims about pictures that a class or a unit prefers, with and without a generator."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

import synth
from benchmarks.claims.claim import (
    CIS680,
    CS231N,
    SEEDS,
    SUMMARY,
    Figure,
    Outcome,
    above,
    below,
    claim,
    mean,
    middle,
    rate,
)
from benchmarks.claims.running import Runner, network, photographs
from synth.metrics.naturalness import load_or_fit
from synth.networks import reading

CLASSES = f"target=[{','.join(map(str, range(0, 100, 4)))}]"  # every fourth of 100
ASCENT = f"synth recipe=class_ascent {CLASSES}"
BARE = f"{ASCENT} search/regularisers=none objective.terms.l2.weight=0"
GENERATOR = f"synth recipe=generator_ascent {CLASSES}"
OTHER = "mini_resnet"  # took no part in any search


@claim(
    "Gradient ascent makes a picture of any class",
    "You would be generating an image of a desired type",
    CS231N,
    ASCENT,
    "for at least 95 % of 25 classes the class is predicted for the saved file",
)
def ascent_reaches(run: Runner) -> Outcome:
    return _reached(run)


@claim(
    "Without regularisation the picture of a class shows nothing",
    "L2 norm is used as regularization. Without regularization, the output would seem to be "
    "nothing.",
    SUMMARY,
    (ASCENT, BARE),
    "another network, mini ResNet, has the class among its first five for fewer of the pictures "
    "made without any regulariser than of those with the recipe's own",
)
def regulariser_helps(run: Runner) -> Outcome:
    return _more_recognised(run, "regularised", "without")


@claim(
    "Blur and clipping make the picture of a class better",
    "To make things better, you can blur the images and clip both small pixels and small gradients",
    CS231N,
    (f"{ASCENT} search/regularisers=yosinski_3", f"{ASCENT} search/regularisers=none"),
    "mini ResNet has the class among its first five for more of the pictures than with the L2 norm "
    "alone",
)
def blur_and_clipping(run: Runner) -> Outcome:
    return _more_recognised(run, "blurred and clipped", "L2 alone")


@claim(
    "Ascent on pixels makes unrealistic pictures",
    "Images look very unrealistic. Difficult to understand what is depicted in the images.",
    CIS680,
    ASCENT,
    "their distance from natural pictures, in all layers of mini ResNet, is above that of 95 % of "
    "photographs for the median one",
)
def unrealistic(run: Runner) -> Outcome:
    distance = middle("distance from natural pictures", _distances(run().images))
    natural = torch.tensor(_distances(photographs("tiny_imagenet/val")))
    bound = Figure("95 % of photographs are below", float(natural.quantile(0.95)))
    return Outcome(above(distance, bound.value), [distance, bound])


@claim(
    "A generator makes much more realistic pictures",
    "You can also have this upconvolutional step, which allows you to generate much more realistic "
    "images",
    CS231N,
    (GENERATOR, ASCENT),
    "their distance from natural pictures is less than half of that of ascent on pixels",
)
def generator_is_realistic(run: Runner) -> Outcome:
    own, other = (_distances(run(place).images) for place in (0, 1))
    figures = [middle("generator", own), middle("pixels", other)]
    ratio = middle("ratio, class by class", [a / b for a, b in zip(own, other, strict=True)])
    return Outcome(below(ratio, 0.5), [*figures, ratio])


@claim(
    "Another network recognises the pictures of a generator",
    "The idea is first to train a network that synthesizes a realistic image from a certain "
    "feature vector in the CNN",
    CIS680,
    (GENERATOR, ASCENT),
    "mini ResNet has the class among its first five for more of the generator's pictures than of "
    "those of ascent on pixels",
    note=(
        "mini ResNet was trained on the same pictures as mini AlexNet, and both kinds are easy "
        "for it; SqueezeNet 1.1, of ImageNet's 1,000 classes, has the class in its first five for "
        "45 % of the generator's pictures (`python -m benchmarks.generator ascent`)"
    ),
)
def generator_is_recognised(run: Runner) -> Outcome:
    return _more_recognised(run, "generator", "pixels")


@claim(
    "A code is found for every class, both networks unchanged",
    "Use the gradients to change the feature x such that the activation for a desired neuron is "
    "made larger, without changing the parameters of a generator CNN",
    CIS680,
    GENERATOR,
    "for at least 95 % of 25 classes the class is predicted for the saved file",
)
def generator_reaches(run: Runner) -> Outcome:
    return _reached(run)


@claim(
    "Ascent activates a hidden unit more than any photograph does",
    "You can also do the same trick with the intermediate neurons to figure out what activates the "
    "neurons the most",
    CS231N,
    "synth recipe=neuron_ascent layer=conv3 unit=[0,1,2,3,4,5,6,7,8,9,10,11] steps=128",
    "for at least nine of ten units the largest activation on the picture is above that on 2,500 "
    "photographs",
    SEEDS,
)
def units_prefer(run: Runner) -> Outcome:
    natural = _largest(photographs("tiny_imagenet/val")).max(0).values
    ratios = []
    for result in run.each():
        own = _largest(result.images)
        ratios += [float(own[unit, unit] / natural[unit]) for unit in range(len(own))]
    hits = rate("units above all photographs", [ratio > 1 for ratio in ratios])
    return Outcome(
        hits.value >= 0.9, [hits, middle("activation, in those of the strongest", ratios)]
    )


# -- what several claims read ----------------------------------------------------------------------


def _reached(run: Runner) -> Outcome:
    """Whether the class is predicted for at least 95 % of the pictures."""
    result = run()
    hits = rate("class predicted", result.success.tolist())
    sure = mean("its probability", result.confidence.tolist(), "%")
    return Outcome(hits.value >= 0.95, [hits, sure])


def _more_recognised(run: Runner, first: str, second: str) -> Outcome:
    """Whether another network recognises more of the first command's pictures than of the "
    "second's."""
    own, other = (recognised(run(place)) for place in (0, 1))
    more = mean("difference", [float(a) - float(b) for a, b in zip(own, other, strict=True)], "%")
    return Outcome(above(more, 0.0), [rate(first, own), rate(second, other), more])


def recognised(result: synth.Result, reader: str = OTHER, first: int = 5) -> list[bool]:
    """Whether another network of the same classes has each target among its first ones."""
    targets = torch.tensor([item.target_index for item in result.items])[:, None]
    logits = reading.logits(network(reader), result.images).cpu()
    return (logits.topk(first, 1).indices == targets).any(1).tolist()


def _distances(images: Tensor) -> list[float]:
    statistics = _statistics()
    return statistics.distances(network(OTHER), images).tolist()


@cache
def _statistics():
    statistics = load_or_fit(network(OTHER))
    assert statistics is not None
    return statistics


def _largest(images: Tensor) -> Tensor:
    """The largest activation of conv3 of mini AlexNet over all places: [n, channels]."""
    parts = []
    with torch.inference_mode():
        for part in images.split(100):
            parts.append(network("mini_alexnet").read(part, ["conv3"])["conv3"].amax((2, 3)))
    return torch.cat(parts)
