"""Claims about filters, features, activations and saliency."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from benchmarks.claims.claim import (
    CIS680,
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
    middle,
    rate,
)
from benchmarks.claims.pixels import correlation
from benchmarks.claims.running import Runner, network, photographs, trained

ALEXNET = "synth recipe=layers network=alexnet network.weights=random"
SAMPLE = "'images=tiny_imagenet/val/*/val_1???.JPEG'"
FEW = "'images=tiny_imagenet/val/*/val_11??.JPEG'"
NEIGHBOURS = "synth recipe=embedding images=tiny_imagenet/val maps=tsne"
DEPTHS = ("relu1", "relu3", "relu5", "fc7")
QUARTERS = 2  # of a side


@claim(
    "A first-layer filter responds most to its own shape",
    "Since activations of the layer are inner products of filter and image, highest activations "
    "will be the same shape as the filters",
    TJ,
    "synth recipe=filters images=tiny_imagenet/val",
    "over the filters the median correlation with the picture that maximises one is above 0.9",
)
def filter_shape(run: Runner) -> Outcome:
    tensors = run().tensors
    best, patch = (
        middle(label, tensors[f"correlation_{name}"].abs().tolist())
        for name, label in (
            ("maximising", "correlation with the picture that maximises it"),
            ("patch", "with its strongest patch of a photograph"),
        )
    )
    return Outcome(above(best, 0.9), [best, patch])


@claim(
    "The rows of a linear classifier are templates",
    "We were able to visualize the weights to a linear classifier, because the rows of the matrix "
    "corresponded to template images",
    CS231N,
    "synth recipe=train_classifier images=ten_classes/train validation=ten_classes/val "
    "architecture=linear size=24 folder=runs/linear",
    "a row correlates more with the mean picture of its own class than with those of the others, "
    "in at least nine of ten cases",
    SEEDS,
)
def templates(run: Runner) -> Outcome:
    own, hits = [], []
    for seed in run.seeds:
        run(0, seed)
        reader = trained("linear", "runs/linear", seed)
        rows = next(p for p in reader.module.parameters() if p.ndim == 2)
        means = torch.stack(
            [
                photographs(f"ten_classes/train/{name}", reader.size[0]).mean(0)
                for name in reader.classes.synsets
            ]
        )
        templates = rows.view_as(means)
        likeness = torch.stack([correlation(templates, mean.expand_as(means)) for mean in means])
        own += likeness.diagonal().tolist()
        hits += (likeness.argmax(0) == torch.arange(len(means))).tolist()
    best = rate("rows most like their own class", hits)
    return Outcome(best.value >= 0.9, [best, mean("correlation with its mean picture", own)])


@claim(
    "AlexNet has 64 filters of 3 x 11 x 11 in its first layer",
    "AlexNet: 64 x 3 x 11 x 11",
    TJ,
    ALEXNET,
    "the first convolution has 64 channels of 11 x 11 and 64 (3 · 11 · 11 + 1) parameters",
)
def first_layer_of_alexnet(run: Runner) -> Outcome:
    first = _convolutions(run)[0]
    fits = first["parameters"] == 64 * (3 * 11 * 11 + 1) and first["receptive_field"] == "11 x 11"
    figures = [
        Figure("channels", float(first["shape"][0])),
        Figure("parameters", float(first["parameters"])),
    ]
    return Outcome(first["shape"][0] == 64 and fits, figures)


@claim(
    "There are 3 x 96 = 288 filters in conv1 of AlexNet",
    "We have 3 x 96 = 288 such filters in total in conv1",
    CIS680,
    ALEXNET,
    "the first convolution of AlexNet has 96 channels, so 288 filters of one colour each",
    note=(
        "96 channels are those of the network of 2012, which ran on two GPUs; torchvision's is "
        "that of Krizhevsky 2014, with 64"
    ),
)
def filters_of_conv1(run: Runner) -> Outcome:
    count = 3 * _convolutions(run)[0]["shape"][0]
    return Outcome(count == 288, [Figure("filters of one colour", float(count))])


@claim(
    "conv5 of AlexNet has 256 channels",
    "Let's look at conv5 layer of AlexNet. Conv5 layer has 256 channels.",
    CIS680,
    ALEXNET,
    "the fifth convolution has 256 channels",
)
def channels_of_conv5(run: Runner) -> Outcome:
    count = _convolutions(run)[4]["shape"][0]
    return Outcome(count == 256, [Figure("channels", float(count))])


@claim(
    "Deeper layers see larger patches",
    "Deeper parts of network will correspond to larger patches",
    TJ,
    ALEXNET,
    "the side of the patch that a unit sees grows from each convolution to the next",
)
def receptive_fields(run: Runner) -> Outcome:
    sides = [int(row["receptive_field"].split(" x ")[0]) for row in _convolutions(run)]
    figures = [
        Figure(f"conv{number}", float(side), unit="pixels") for number, side in enumerate(sides, 1)
    ]
    return Outcome(sides == sorted(set(sides)), figures)


@claim(
    "Neighbours in feature space are semantic, those in pixel space are not",
    "You can use this embedding to run K-nearest neighbors, which leads to a much better semantic "
    "similarity than just raw pixel space",
    CS231N,
    NEIGHBOURS,
    "the share of the five nearest neighbours that have the same class is at least five times as "
    "high in features as in pixels, and the intervals are apart",
)
def semantic_neighbours(run: Runner) -> Outcome:
    rows = run(seed=SEEDS[0]).findings["spaces"]
    features, pixels = (
        Figure(label, row["same_class"], row["low"], row["high"], "%")
        for label, row in (("in features", rows[0]), ("in pixels", rows[2]))
    )
    holds = features.value > 5 * pixels.value and above(features, float(pixels.high or 0))
    return Outcome(holds, [features, pixels])


@claim(
    "Deeper layers tell classes apart, early ones do not",
    "Deeper layers focus on higher level concepts such as objects",
    CIS680,
    tuple(
        f"synth recipe=embedding images=tiny_imagenet/val maps=pca layer={layer}"
        for layer in DEPTHS
    ),
    "the share of the five nearest neighbours that have the same class rises from each layer to "
    "the next, and the intervals are apart",
)
def deeper_is_semantic(run: Runner) -> Outcome:
    figures = []
    for place, layer in enumerate(DEPTHS):
        row = run(place).findings["spaces"][0]
        figures.append(Figure(layer, row["same_class"], row["low"], row["high"], "%"))
    holds = all(above(b, float(a.high or 0)) for a, b in pairwise(figures))
    return Outcome(holds, figures)


@claim(
    "On a map of the features neighbours have the same class",
    "Take activations of last fully connected layer and run through dimensionality reduction "
    "algorithm like PCA or t-SNE. Different classes will aggregate",
    TJ,
    NEIGHBOURS,
    "the share of the five nearest neighbours on the t-SNE map that have the same class is more "
    "than ten times that of chance",
    SEEDS,
)
def map_neighbours(run: Runner) -> Outcome:
    results = run.each()
    share = mean("same class on the map", [_tsne(each)["same_class"] for each in results], "%")
    chance = results[0].findings["neighbour_share_chance"]
    figures = [share, Figure("chance", chance, unit="%")]
    return Outcome(above(share, 10 * chance), figures)


@claim(
    "Different classes become different clusters",
    "Different classes will aggregate into different clusters",
    TJ,
    NEIGHBOURS,
    "the mean silhouette of the classes on the t-SNE map is above 0: a picture is nearer to its "
    "own class than to the next one",
    SEEDS,
    note="there are 100 classes, and the network's top-1 is 62 %; the lecture's map has ten digits",
)
def clusters(run: Runner) -> Outcome:
    score = mean("silhouette", [_tsne(each)["silhouette"] for each in run.each()])
    return Outcome(above(score, 0.0), [score])


@claim(
    "The strongest patches of a unit are alike",
    "If you run a bunch of images through a network and record the values of some channel, you "
    "will start to see which images activate a channel the most",
    CS231N,
    "synth recipe=patches images=tiny_imagenet/val layer=[conv1,conv2,conv3,conv4,conv5] shown=8 "
    "steps=128",
    "averaged over the five layers, the rank correlation of activations is higher between patches "
    "of the same unit than between those of different units",
)
def alike_patches(run: Runner) -> Outcome:
    rows = _own(run().findings["rank_correlations"])
    same = mean("same unit", [row["natural"] for row in rows])
    other = mean("different units", [row["other"] for row in rows])
    more = mean("difference", [row["natural"] - row["other"] for row in rows])
    return Outcome(above(more, 0.0), [same, other, more])


@claim(
    "The heat map of occlusion shows what matters",
    "The red part is the part where there is a significant change in the result when covered, and "
    "the yellow part has little effect",
    SUMMARY,
    f"synth recipe=occlusion {FEW}",
    "covering the quarter of the picture that is hottest on the map lowers the probability of the "
    "class more than covering the coldest quarter",
)
def occlusion(run: Runner) -> Outcome:
    result = run()
    images, maps = result.images, result.tensors["maps"]
    assert isinstance(images, Tensor)
    reader = network("mini_alexnet")
    neurons = result.tensors["neurons"][:, None]
    drops = []
    with torch.inference_mode():
        before = reader(images).softmax(1).gather(1, neurons)
        for hot in (True, False):
            heat = maps if hot else -maps
            height, width = heat.shape[-2:]
            sums = torch.nn.functional.avg_pool2d(
                heat[:, None], (height // QUARTERS, width // QUARTERS), stride=1
            )
            best = sums.flatten(1).argmax(1)
            covered = images.clone()
            for place, index in enumerate(best.tolist()):
                row, column = divmod(index, sums.shape[-1])
                window = (slice(row, row + height // 2), slice(column, column + width // 2))
                average = images[place].mean((1, 2), keepdim=True)
                covered[place][:, window[0], window[1]] = average
            after = reader(covered).softmax(1).gather(1, neurons)
            drops.append((before - after)[:, 0])
    hottest = mean("drop by the hottest quarter", drops[0].tolist())
    coldest = mean("by the coldest", drops[1].tolist())
    more = mean("difference", (drops[0] - drops[1]).tolist())
    return Outcome(above(more, 0.0), [hottest, coldest, more])


EVALUATION = (
    f"synth recipe=saliency_evaluation {SAMPLE} "
    "methods=[vanilla,guided_backprop,grad_cam] levels=10 sanity_pictures=16"
)


@claim(
    "The gradient shows which pixels matter",
    "Compute gradient of class score with respect to image pixels. We can see which pixels play an "
    "important role.",
    SUMMARY,
    EVALUATION,
    "uncovering the pixels of the strongest gradient first brings the class back sooner than a "
    "random order does: the area under the curve is higher, and the intervals are apart",
)
def saliency_pixels(run: Runner) -> Outcome:
    own, floor = _curve(run, "vanilla", "insertion"), _curve(run, "random", "insertion")
    return Outcome(above(own, float(floor.high or 0)), [own, floor])


@claim(
    "Removing the pixels of the strongest gradient hurts most",
    "For each pixel of the input image, check how much the class score changes when the pixel "
    "changes slightly",
    SUMMARY,
    EVALUATION,
    "deleting the pixels of the strongest gradient first lowers the class sooner than a random "
    "order: the area under the curve is lower, and the intervals are apart",
)
def saliency_deletion(run: Runner) -> Outcome:
    own, floor = _curve(run, "vanilla", "deletion"), _curve(run, "random", "deletion")
    return Outcome(below(own, float(floor.low or 0)), [own, floor])


@claim(
    "Guided backpropagation is clearer than the plain gradient",
    "Images come out nicer if you only backprop positive gradients through each ReLU",
    SUMMARY,
    EVALUATION,
    "the area under the insertion curve is higher than the plain gradient's, and the intervals are "
    "apart",
)
def guided_is_clearer(run: Runner) -> Outcome:
    guided = _curve(run, "guided_backprop", "insertion")
    plain = _curve(run, "vanilla", "insertion")
    return Outcome(above(guided, float(plain.high or 0)), [guided, plain])


@claim(
    "Guided backpropagation shows what the network has learned",
    "Visualized which pixels affect certain neurons",
    SUMMARY,
    EVALUATION,
    "its maps depend on the weights: with the upper half of the layers shuffled their rank "
    "correlation with the maps before is below 0.5",
)
def guided_depends_on_weights(run: Runner) -> Outcome:
    rows = {row["method"]: row for row in run().findings["methods"]}
    key = "rank_correlation_half_shuffled"
    guided, plain = (Figure(name, rows[name][key]) for name in ("guided_backprop", "vanilla"))
    return Outcome(guided.value < 0.5, [guided, plain])


@claim(
    "Saliency cuts the object out without supervision",
    "Because the edges are well distinguished, it is also used for semantic segmentation. "
    "Segmentation can be done without supervision",
    SUMMARY,
    "synth recipe=saliency_segmentation images=camvid/images masks=camvid/labels "
    "object=8 target=minivan network=squeezenet1_1",
    "the intersection over union with the cars of CamVid is higher than that of a box of the same "
    "area in the middle, and the intervals are apart",
)
def saliency_segments(run: Runner) -> Outcome:
    cut, box = _segments(run)
    return Outcome(above(cut, float(box.high or 0)), [cut, box])


@claim(
    "The performance of segmentation without supervision is very poor",
    "Segmentation can be done without supervision, but the performance is very poor",
    SUMMARY,
    "synth recipe=saliency_segmentation images=camvid/images masks=camvid/labels "
    "object=8 target=minivan network=squeezenet1_1",
    "the intersection over union is below 0.5, what counts as a hit in object detection",
)
def saliency_segments_poorly(run: Runner) -> Outcome:
    cut, _ = _segments(run)
    return Outcome(below(cut, 0.5), [cut])


@claim(
    "What is without importance to the class can be set to 0",
    "Anything without much importance to the classifier can be removed, or set to 0",
    CS231N,
    f"synth recipe=saliency_segmentation {FEW}",
    "with all but the cut-out part black more than half of the pictures keep their class, and more "
    "than with a box of the same area in the middle",
)
def rest_removed(run: Runner) -> Outcome:
    result = run()
    rows = {row["cut"]: row for row in result.findings["segmentations"]}
    count = result.findings["pictures"]
    figures = []
    for name in ("graph cut", "centred box"):
        hits = round(rows[name]["class_predicted"] * count)
        label = f"same class, {name}, {100 * rows[name]['area']:.0f} % of the pixels"
        figures.append(rate(label, [True] * hits + [False] * (count - hits)))
    cut, box = figures
    return Outcome(above(cut, max(0.5, box.value)), figures)


# -- what several claims read ----------------------------------------------------------------------


def _convolutions(run: Runner) -> list[Any]:
    return [row for row in run().layers or () if row["kind"] == "Conv2d"]


def _tsne(result: Any) -> dict[str, Any]:
    return next(row for row in result.findings["spaces"] if row["space"].startswith("t-SNE"))


def _own(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records at the unit's own layer."""
    return [row for row in rows if row["layer"] == row["at"]]


def _curve(run: Runner, method: str, kind: str) -> Figure:
    (row,) = (row for row in run().findings["methods"] if row["method"] == method)
    low, high = row[f"{kind}_low"], row[f"{kind}_high"]
    return Figure(method, row[f"{kind}_auc"], low, high)


def _segments(run: Runner) -> tuple[Figure, Figure]:
    """Intersection over union of what is cut out, and of a box of the same area."""
    cut, box = (
        Figure(row["cut"], row["iou"], row["iou_low"], row["iou_high"])
        for name in ("graph cut", "centred box")
        for row in run().findings["segmentations"]
        if row["cut"] == name
    )
    return cut, box
