"""Claims about fooling images and adversarial images found by gradients."""

from __future__ import annotations

import torch

from benchmarks.claims.claim import (
    CIS680,
    DL4CV,
    SEEDS,
    SUMMARY,
    TJ,
    Outcome,
    above,
    below,
    claim,
    mean,
    middle,
    rate,
)
from benchmarks.claims.generating import CLASSES, recognised
from benchmarks.claims.pixels import neighbour_correlation
from benchmarks.claims.running import Runner, photographs

FOOLING = "synth recipe=fooling_gradient target=all"
SURE = f"synth recipe=fooling_gradient {CLASSES} until=0.998"
ONE_STEP = (
    "synth recipe=fast_gradient_sign 'images=imagenet_samples/n02*/*.jpg' network=squeezenet1_1"
)
SMALLEST = (
    "synth recipe=minimal_perturbation 'images=imagenet_samples/n020*/*.jpg' network=squeezenet1_1"
)


@claim(
    "From Gaussian noise the gradient leads to any class",
    "Initialize an image with a Gaussian. Backpropagate the gradients and update the image such "
    "that predictions for “class: eel” would be maximized.",
    CIS680,
    FOOLING,
    "every class is predicted for its saved file, with a probability of 0.99 or more, in at least "
    "95 of 100 cases",
    SEEDS,
)
def fooled_from_noise(run: Runner) -> Outcome:
    items = [item for result in run.each() for item in result.items]
    hits = rate("class predicted with 0.99 or more", [bool(item.success) for item in items])
    passes = middle("network passes an image", [item.passes for item in items])
    return Outcome(hits.value >= 0.95, [hits, passes])


@claim(
    "Fooling images reach more than 99.6 % confidence",
    "Doing backprop to optimize for some class can ... fool neural networks quite easily: "
    ">99.6% confidences",
    TJ,
    SURE,
    "the mean probability of the class, on the saved files, is above 0.996",
    SEEDS,
)
def confident(run: Runner) -> Outcome:
    values = [value for result in run.each() for value in result.confidence.tolist()]
    sure = mean("probability of the class", values, "%")
    more = rate("images above 99.6 %", [value > 0.996 for value in values])
    return Outcome(above(sure, 0.996), [sure, more])


@claim(
    "Fooling images found by gradients look like noise",
    "These images look like noise. Can we do better?",
    CIS680,
    FOOLING,
    "the correlation of a pixel with the next is below a third of that in photographs",
    SEEDS,
)
def looks_like_noise(run: Runner) -> Outcome:
    images = torch.cat([result.images for result in run.each()])
    own = mean("correlation of neighbouring pixels", neighbour_correlation(images).tolist())
    pictures = photographs("tiny_imagenet/val")
    other = mean("in photographs", neighbour_correlation(pictures[::10]).tolist())
    return Outcome(below(own, other.value / 3), [own, other])


@claim(
    "Such a fooling image shows nothing of its class",
    "Even when the labels aren't random the CNNs learn patterns in the data that don't make much "
    "sense",
    CIS680,
    FOOLING,
    "another network, mini ResNet, has the class among its first five for less than 10 % of them; "
    "chance is 5 %",
    SEEDS,
    note=(
        "mini ResNet was trained on the same pictures; SqueezeNet 1.1, of ImageNet's 1,000 "
        "classes, recognises none in its first five (`python -m benchmarks.generator ascent`)"
    ),
)
def makes_no_sense(run: Runner) -> Outcome:
    hits = [hit for result in run.each() for hit in recognised(result)]
    share = rate("mini ResNet has it among its first five", hits)
    return Outcome(below(share, 0.1), [share])


@claim(
    "Fooling images lie off the manifold of natural pictures",
    "Data manifold: the network is never shown this random data, which causes undefined behavior",
    CIS680,
    (
        f"{FOOLING} folder=runs/fooling",
        "synth recipe=embedding images=tiny_imagenet/val maps=pca runs=runs/fooling",
    ),
    "in fc7 they are farther from the nearest photograph than photographs are from each other",
    SEEDS,
)
def off_the_manifold(run: Runner) -> Outcome:
    distances = []
    for seed in run.seeds:
        run(0, seed)
        (source,) = run(1, seed).findings["sources"]
        distances.append(source["distance_to_natural"])
    far = mean("distance to the nearest photograph, 1 among photographs", distances)
    return Outcome(above(far, 1.0), [far])


@claim(
    "One small step along the sign of the gradient changes the class",
    "+ .007 x ... “panda” 57.7 % becomes “gibbon”",
    CIS680,
    f"{ONE_STEP} encoding.epsilon=0.007843",
    "for more than half of the photographs another class is predicted",
)
def one_step(run: Runner) -> Outcome:
    items = [item for item in run().items if not item.already]
    fooled = rate("another class predicted", [bool(item.success) for item in items])
    return Outcome(above(fooled, 0.5), [fooled])


@claim(
    "The network is 99 % sure of the wrong class",
    "CNN prediction: “gibbon” 99.99 %",
    CIS680,
    f"{ONE_STEP} encoding.epsilon=0.007843",
    "the median probability of the wrong class is above 0.99",
)
def one_step_is_sure(run: Runner) -> Outcome:
    items = [item for item in run().items if item.success and not item.already]
    values = [item.predicted_confidence for item in items]
    sure = middle("probability of the wrong class", values, "%")
    more = rate("photographs above 99 %", [value > 0.99 for value in values])
    return Outcome(above(sure, 0.99), [sure, more])


@claim(
    "Any photograph becomes any class",
    "Start from an arbitrary image. Pick an arbitrary class. Modify the image to maximize the "
    "class. Repeat until network is fooled.",
    SUMMARY,
    "synth recipe=projected_gradient 'images=imagenet_samples/n0210*/*.jpg' target=random "
    "network=squeezenet1_1",
    "within 8 of 255 levels the class drawn is predicted for at least 95 % of the saved files",
    SEEDS,
)
def any_to_any(run: Runner) -> Outcome:
    items = [item for result in run.each() for item in result.items if not item.already]
    hits = rate("class predicted", [bool(item.success) for item in items])
    return Outcome(hits.value >= 0.95, [hits])


@claim(
    "The change of an adversarial image is too small to be seen",
    "Even if the image is classified as the different label, there is no difference from the "
    "original picture",
    SUMMARY,
    SMALLEST,
    "the smallest perturbation changes a pixel by less than one of 255 levels, root mean square, "
    "in at least 95 % of the photographs",
)
def too_small_to_see(run: Runner) -> Outcome:
    result = run()
    values = result.images[0].numel()
    levels = [
        255 * item.l2 / values**0.5
        for item in result.items
        if item.success and not item.already and item.l2
    ]
    fooled = rate("another class predicted", [bool(item.success) for item in result.items])
    small = rate("below one level", [level < 1 for level in levels])
    return Outcome(
        small.value >= 0.95, [small, middle("root mean square change", levels, "levels"), fooled]
    )


@claim(
    "Adversarial images are misclassified with high confidence",
    "Although it looks the same for human, the model gives completely wrong prediction with high "
    "confidence",
    DL4CV,
    "synth recipe=projected_gradient 'images=tiny_imagenet/val/*/val_11??.JPEG' until=null",
    "within 8 of 255 levels, after all steps, the median probability of the wrong class is above "
    "0.9",
    SEEDS,
)
def wrong_and_sure(run: Runner) -> Outcome:
    items = [item for result in run.each() for item in result.items if not item.already]
    values = [item.predicted_confidence for item in items]
    sure = middle("probability of the class that is predicted", values, "%")
    fooled = rate("another class predicted", [bool(item.success) for item in items])
    return Outcome(above(sure, 0.9) and fooled.value > 0.95, [sure, fooled])
